"""Pictures of an annotation file: lengths, classes, moving samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.animation import FFMpegWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from stars_mm.preparation.annotation_file import clip_key
from stars_mm.preparation.inspection import Inspection, plain
from stars_mm.utils.atomic import written_whole
from stars_mm.visualization.skeleton import (
    DPI,
    INCHES,
    Bones,
    Drawing,
    project,
    render,
    save_gif,
    set_range,
    spread_over_classes,
)
from stars_mm.visualization.style import PALETTE, new_figure, report_style

SAMPLES = 6  # clips that are animated
COLUMNS = 3  # panels beside one another in an animation
MAX_BARS = 50  # of a histogram
MANY_CLASSES = 40  # more have their numbers alone below the bars


def draw_inspection(
    report: Inspection, annotations: list[dict], folder: Path, bones: Bones
) -> list[Path]:
    """Draws lengths, classes, and samples of the clips of a file into a folder; gives the pictures,
    without those of which there is nothing to draw. Without bones, pairs of joints, joints are
    dots. An OSError if a file cannot be written, a CalledProcessError if ffmpeg fails."""
    groups = report.splits or {'whole file': report.whole}
    groups = {plain(name): group for name, group in groups.items()}
    files = []
    if report.stats:
        files.append(folder / 'lengths.png')
        plot_lengths({name: group.lengths for name, group in groups.items()}, files[-1])
    classes = report.labels()
    if classes:
        files.append(folder / 'classes.png')
        counts = {name: group.class_counts for name, group in groups.items()}
        names = [plain(report.class_name(label) or label) for label in classes]
        plot_class_counts(counts, classes, names if report.class_names else None, files[-1])
    # other labels than integers are not for a title
    labels = [clip.get('label') for clip in annotations]
    labels = [int(label) if isinstance(label, (int, np.integer)) else None for label in labels]
    chosen = choose_samples(report, labels)
    if chosen:
        samples = [_sample(report, annotations, n, labels[n]) for n in chosen]
        files += animate(samples, bones, folder)
    return files


def choose_samples(report: Inspection, labels: list[object], seed: int = 0) -> list[int]:
    """Positions of up to :data:`SAMPLES` clips without a fault, of classes spread over their range,
    by the labels of all clips."""
    sound = [n for n, clip in report.stats.items() if clip.persons]
    order = [sound[i] for i in np.random.default_rng(seed).permutation(len(sound))]
    return spread_over_classes(order, labels, SAMPLES, SAMPLES)


def _sample(
    report: Inspection, annotations: list[dict], number: int, label: object
) -> tuple[str, np.ndarray]:
    """Title and coordinates (M, T, V, C) of the persons who are there."""
    clip, stats = annotations[number], report.stats[number]
    keypoint = clip['keypoint'][:, : stats.frames, :, : report.units.dims]
    title = str(clip.get(clip_key(annotations), number))
    if label is not None:
        title = f'{report.class_name(label) or label}: {title}'
    return plain(title, 34), keypoint[keypoint.any((1, 2, 3))]


def upright(keypoint: np.ndarray) -> np.ndarray:
    """What is seen of a clip (M, T, V, C), y pointing upwards of three coordinates and downwards of
    two, as in images: (M, T, V, 2), upwards."""
    places = keypoint.astype(np.float64)
    if places.shape[-1] >= 3:
        return project(places[..., :3])
    if places.shape[-1] == 2:
        return places * (1, -1)
    return np.concatenate([places, np.zeros_like(places)], -1)


class _Panel:
    """One clip in one panel; it holds still after its end."""

    def __init__(self, axis, title: str, keypoint: np.ndarray, bones: Bones) -> None:
        self.seen = keypoint.any(-1)  # (M, T, V)
        self.points = upright(keypoint)
        self.drawings = [
            Drawing(axis, bones, PALETTE[person % len(PALETTE)], 1.6, 2.6)
            for person in range(len(self.points))
        ]
        axis.set_title(title, fontsize=8)
        axis.tick_params(labelsize=6, colors='#666666')
        set_range(axis, self.points[self.seen], margin=1.1)
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_locator(MaxNLocator(4))

    def draw(self, frame: int) -> None:
        """Draw one frame of all persons."""
        frame = min(frame, self.points.shape[1] - 1)
        for person, drawing in enumerate(self.drawings):
            drawing.draw(self.points[person, frame], self.seen[person, frame])


def animate(
    samples: Sequence[tuple[str, np.ndarray]],
    bones: Bones,
    folder: Path,
    max_frames: int = 64,
    fps: int = 12,
) -> list[Path]:
    """Writes moving skeletons as ``samples.gif``, and as ``samples.mp4`` where ffmpeg is installed:
    the title and coordinates (M, T, V, C) of each clip, which has somebody in it. Clips of more
    than ``max_frames`` skip frames."""
    rows, side = -(-len(samples) // COLUMNS), INCHES + 0.3
    with report_style():
        figure, axes = new_figure(rows, COLUMNS, figsize=(COLUMNS * side, rows * side + 0.25))
        axes = [axis for row in axes for axis in row]
        for axis in axes[len(samples) :]:
            axis.remove()
        figure.supxlabel(' ', fontsize=6)
        figure.suptitle(' ', fontsize=8)  # room for the counter
        panels = [_Panel(axis, *sample, bones) for axis, sample in zip(axes, samples)]
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
    """Writes RGB frames of one size by matplotlib's writer, which runs ffmpeg, whatever the file's
    name ends in."""
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
    """Draws how long clips are, a line a split: frames (n,) of its clips."""
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
            style = dict(color=PALETTE[number % 7], linestyle=('-', '--', ':')[number // 7 % 3])
            axis.stairs(counts, edges, linewidth=1.4, label=f'{name} ({len(values)})', **style)
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
    """Draws how many clips each of some classes has, a row a split; ``names`` are the classes'."""
    size = (max(6.4, 1.5 + 0.11 * len(classes)), 1.2 + 1.5 * len(counts))
    with report_style():
        figure, axes = new_figure(len(counts), 1, sharex=True, figsize=size)
        for (axis,), (name, own) in zip(axes, counts.items()):
            heights = [own.get(c, 0) for c in classes]
            axis.bar(range(len(classes)), heights, color=PALETTE[0], width=0.8)
            axis.set_title(name, fontsize=9)
            axis.set_ylabel('clips', fontsize=9)
            axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            axis.grid(axis='x', visible=False)
            axis.set_axisbelow(True)
        bottom = axes[-1][0]
        if names is not None and len(classes) <= MANY_CLASSES:
            bottom.set_xticks(range(len(classes)), names, rotation=60, ha='right', fontsize=8)
        else:
            ticks = range(0, len(classes), max(1, len(classes) // 20))
            bottom.set_xticks(ticks, [str(classes[n]) for n in ticks], fontsize=8)
            bottom.set_xlabel('class')
        _save_png(figure, path)


def _save_png(figure: Figure, path: Path) -> None:
    with written_whole(path) as partial:
        figure.savefig(partial, format='png', dpi=110)
