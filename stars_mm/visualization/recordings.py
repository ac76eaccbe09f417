"""Pictures of an annotation file: lengths, classes, moving skeletons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.animation import FFMpegWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from stars_mm.preparation.layouts import joint_parents, known_layouts
from stars_mm.utils.atomic import written_whole
from stars_mm.visualization.animation import DPI, INCHES, Drawing, render, save_gif
from stars_mm.visualization.skeleton import project
from stars_mm.visualization.style import PALETTE, new_figure, report_style

COLUMNS = 3  # panels beside one another in an animation
MAX_BARS = 50  # of a histogram
MANY_CLASSES = 40  # more have their numbers alone below the bars

Bones = tuple[tuple[int, int], ...]


def bones_of(num_joints: int, layout: None | str | dict = None) -> Bones:
    """Bones of a layout of ``stars_mm.preparation.layouts``.

    Args:
        num_joints (int): V.
        layout (str or dict, optional): As :func:`joint_parents` takes it.
            None takes the one of so many joints, if there is only one.

    Returns:
        tuple[tuple[int, int], ...]: Pairs of joints, from 0; none where
        layouts of so many joints are unknown or several, to be drawn as dots.

    Raises:
        ValueError: If ``layout`` is unknown or has another number of joints.
    """
    if layout is None:
        known = [joint_parents(name) for name in known_layouts()]
        known = [parents for parents in known if len(parents) == num_joints]
        if len(known) != 1:
            return ()
        parents = known[0]
    else:
        parents = joint_parents(layout)
        if len(parents) != num_joints:
            raise ValueError(
                f'layout={layout!r} has {len(parents)} joints, '
                f'the clips have {num_joints}. Choose another.'
            )
    return tuple((joint, parent) for joint, parent in enumerate(parents) if joint != parent)


@dataclass
class DrawnClip:
    """A clip to be drawn.

    Attributes:
        title (str): What stands above it.
        keypoint (np.ndarray): (M, T, V, C). Of three coordinates y points
            upwards; of two it points downwards, as in images.
    """

    title: str
    keypoint: np.ndarray

    def points(self) -> np.ndarray:
        """(M, T, V, 2) what is seen of it, upwards."""
        places = self.keypoint.astype(np.float64)
        if places.shape[-1] >= 3:
            return project(places[..., :3])
        if places.shape[-1] == 2:
            return places * (1, -1)
        return np.concatenate([places, np.zeros_like(places)], -1)


class _Panel:
    """One recording in one panel; it holds still after its end."""

    def __init__(self, axis, recording: DrawnClip, bones: Bones) -> None:
        self.seen = recording.keypoint.any(-1)  # (M, T, V)
        self.points = recording.points()
        self.drawings = [
            Drawing(axis, bones, PALETTE[person % len(PALETTE)], 1.6, 2.6)
            for person in range(len(self.points))
        ]
        axis.set_title(_no_maths(recording.title), fontsize=8)
        axis.tick_params(labelsize=6, colors='#666666')
        places = self.points[self.seen]
        low, high = places.min(0), places.max(0)
        middle, half = (low + high) / 2, 0.55 * (high - low).max() or 1
        axis.set_xlim(middle[0] - half, middle[0] + half)
        axis.set_ylim(middle[1] - half, middle[1] + half)
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_locator(MaxNLocator(4))

    def draw(self, frame: int) -> None:
        """Draw one frame of all persons."""
        frame = min(frame, self.points.shape[1] - 1)
        for person, drawing in enumerate(self.drawings):
            drawing.draw(self.points[person, frame], self.seen[person, frame])


def animate(
    recordings: Sequence[DrawnClip], bones: Bones, folder: Path, max_frames: int = 64, fps: int = 12
) -> list[Path]:
    """Writes moving skeletons, as MP4 too where ffmpeg is installed.

    Args:
        recordings (sequence[DrawnClip]): One a panel, each with somebody in it.
        bones (tuple): Pairs of joints.
        folder (Path): Where ``samples.gif`` and ``samples.mp4`` go.
        max_frames (int): Longer recordings skip frames.
        fps (int): Frames shown a second.

    Returns:
        list[Path]: The files.

    Raises:
        OSError: If a file cannot be written.
        subprocess.CalledProcessError: If ffmpeg fails; the GIF is there.
    """
    rows = -(-len(recordings) // COLUMNS)
    with report_style():
        figure, axes = new_figure(
            rows, COLUMNS, figsize=(COLUMNS * (INCHES + 0.3), rows * (INCHES + 0.3) + 0.25)
        )
        axes = [axis for row in axes for axis in row]
        for axis in axes[len(recordings) :]:
            axis.remove()
        figure.supxlabel(' ', fontsize=6)
        figure.suptitle(' ', fontsize=8)  # room for the counter
        figure.set_dpi(DPI)
        panels = [_Panel(axis, recording, bones) for axis, recording in zip(axes, recordings)]
        length = max(panel.points.shape[1] for panel in panels)
        frames = list(render(figure, panels, length, max_frames))
    files = [folder / 'samples.gif']
    with written_whole(files[0]) as partial:
        save_gif(frames, partial, fps)
    if FFMpegWriter.isAvailable():
        files.append(folder / 'samples.mp4')
        with written_whole(files[1]) as partial:
            save_mp4(frames, partial, fps)
    return files


def save_mp4(frames: Sequence[Image.Image], path: str | Path, fps: int) -> None:
    """Writes frames by matplotlib's writer, which runs ffmpeg.

    Args:
        frames (sequence[Image.Image]): RGB, of one size.
        path (str or Path): The file, whatever its name ends in.
        fps (int): Frames shown a second.
    """
    width, height = (side - side % 2 for side in frames[0].size)  # as h264
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    writer = FFMpegWriter(fps=fps, codec='h264', extra_args=['-f', 'mp4'])
    with writer.saving(figure, str(path), dpi=DPI):
        for frame in frames:
            figure.clear()
            figure.figimage(np.asarray(frame)[:height, :width])
            writer.grab_frame()


def plot_lengths(lengths: dict[str, np.ndarray], path: Path) -> None:
    """Draws how long clips are, a line a split.

    Args:
        lengths (dict[str, np.ndarray]): (n,) frames of the clips by split.
        path (Path): The PNG to write.
    """
    lengths = {name: n for name, n in lengths.items() if len(n)}
    with report_style():
        figure, ((axis,),) = new_figure(1, 1, figsize=(6.4, 3.6))
        if lengths:
            low = min(values.min() for values in lengths.values())
            high = max(values.max() for values in lengths.values())
            # each bar covers equally many whole numbers
            width = -(-(high - low + 1) // MAX_BARS)
            edges = np.arange(low, high + width + 1, width) - 0.5
        for number, (name, values) in enumerate(lengths.items()):
            counts, _ = np.histogram(values, edges)
            axis.stairs(
                counts,
                edges,
                linewidth=1.4,
                color=PALETTE[number % len(PALETTE)],
                linestyle=('-', '--', ':')[number // 7 % 3],
                label=f'{_no_maths(name)} ({len(values)})',
            )
        axis.set_xlabel('frames')
        axis.set_ylabel('clips')
        if lengths:
            axis.legend(fontsize=8)
        _save_png(figure, path)


def plot_class_counts(
    counts: dict[str, dict[int, int]],
    classes: Sequence[int],
    names: Sequence[str] | None,
    path: Path,
) -> None:
    """Draws how many clips each class has, a row a split.

    Args:
        counts (dict[str, dict[int, int]]): Clips by class, by split.
        classes (sequence[int]): The classes to show.
        names (sequence[str], optional): Of the classes, in their order.
        path (Path): The PNG to write.
    """
    width = max(6.4, 1.5 + 0.11 * len(classes))
    with report_style():
        figure, axes = new_figure(
            len(counts), 1, sharex=True, figsize=(width, 1.2 + 1.5 * len(counts))
        )
        for (axis,), (name, own) in zip(axes, counts.items()):
            axis.bar(
                range(len(classes)), [own.get(c, 0) for c in classes], color=PALETTE[0], width=0.8
            )
            axis.set_title(_no_maths(name), fontsize=9)
            axis.set_ylabel('clips', fontsize=9)
            axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            axis.grid(axis='x', visible=False)
            axis.set_axisbelow(True)
        bottom = axes[-1][0]
        if names is not None and len(classes) <= MANY_CLASSES:
            bottom.set_xticks(
                range(len(classes)),
                [_no_maths(name) for name in names],
                rotation=60,
                ha='right',
                fontsize=8,
            )
        else:
            ticks = range(0, len(classes), max(1, len(classes) // 20))
            bottom.set_xticks(ticks, [str(classes[n]) for n in ticks], fontsize=8)
            bottom.set_xlabel('class')
        _save_png(figure, path)


def _no_maths(name: str) -> str:
    """A name of a file, in which matplotlib is to see no formula."""
    return name.replace('$', r'\$')


def _save_png(figure: Figure, path: Path) -> None:
    with written_whole(path) as partial:
        figure.savefig(partial, format='png', dpi=110)
