"""Moving skeletons: bones, the view that flattens them, and the animation."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection
from PIL import Image

from stars_mm.preparation.layouts import joint_parents, known_layouts
from stars_mm.visualization.style import GREY

INCHES = 2.1  # width and height of a panel
DPI = 90

Bones = tuple[tuple[int, int], ...]


def bones_of(num_joints: int, layout: None | str | dict = None) -> Bones:
    """Bones of a layout as :func:`joint_parents` takes it, by default the only one of so many
    joints: pairs of joints, from 0; none where layouts of so many joints are unknown or several, to
    be drawn as dots. A ValueError if ``layout`` is unknown or has another number of joints."""
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


def project(joints: np.ndarray, yaw: float = 0.45) -> np.ndarray:
    """Parallel projection of points (..., 3) onto an upright plane (..., 2).

    The cameras of these data sets have y upwards and look along z. The slight turn about the
    vertical, ``yaw`` in radians, shows movements along the line of sight too.
    """
    x, y, z = np.moveaxis(np.asarray(joints, dtype=np.float64), -1, 0)
    return np.stack([x * np.cos(yaw) + z * np.sin(yaw), y], axis=-1)


def segments(points: np.ndarray, bones: Bones, shown: np.ndarray) -> np.ndarray:
    """Start and end points (n, 2, 2) of the bones between points (V, 2) that are both shown."""
    lines = [(points[a], points[b]) for a, b in bones if shown[a] and shown[b]]
    return np.array(lines).reshape(-1, 2, 2)


class Drawing:
    """The moving lines and points of one person in one panel."""

    def __init__(self, axis, bones: Bones, color: str, line: float, dot: float) -> None:
        self.bones = bones
        self.axis = axis
        self.lines = LineCollection(
            [], colors=color, linewidths=line, capstyle='round', animated=True
        )
        axis.add_collection(self.lines, autolim=False)
        (self.dots,) = axis.plot(
            [], [], 'o', color=color, markersize=dot, markeredgewidth=0, animated=True
        )

    def draw(self, points: np.ndarray, shown: np.ndarray) -> None:
        """Draw ``points (V, 2)`` where ``shown (V,)``."""
        self.lines.set_segments(segments(points, self.bones, shown))
        self.dots.set_data(points[shown, 0], points[shown, 1])
        self.axis.draw_artist(self.lines)
        self.axis.draw_artist(self.dots)


def set_range(axis, places: np.ndarray, margin: float) -> None:
    """Show points (n, 2) in the middle of a square, ``margin`` times as wide as they are."""
    low, high = places.min(0), places.max(0)
    middle, half = (low + high) / 2, margin * (high - low).max() / 2 or 1
    axis.set_xlim(middle[0] - half, middle[0] + half)
    axis.set_ylim(middle[1] - half, middle[1] + half)


def spread_over_classes(
    order: Sequence[int], labels: Sequence, spread: int, limit: int
) -> list[int]:
    """Up to ``limit`` of the clips in an order, at the beginning up to ``spread`` of classes spread
    over their range, the first and the last included; the label of some may be None."""
    classes = sorted({labels[n] for n in order if labels[n] is not None})
    places = np.linspace(0, len(classes) - 1, min(spread, len(classes))).astype(int)
    first = [next(n for n in order if labels[n] == classes[place]) for place in places]
    return (first + [n for n in order if n not in first])[:limit]


def render(figure, panels: Sequence, length: int, max_frames: int) -> Iterator[Image.Image]:
    """Draw what stands still once, and on it what moves, frame by frame, each an RGB image; of more
    than ``max_frames`` some are skipped evenly. Each panel has ``draw(frame)``, and the figure room
    for a counter in its upper left corner."""
    canvas = figure.canvas
    figure.set_dpi(DPI)
    canvas.draw()
    figure.set_layout_engine('none')
    counter = figure.text(0.01, 0.99, '', fontsize=8, color=GREY, va='top', animated=True)
    background = canvas.copy_from_bbox(figure.bbox)
    for frame in range(0, length, -(-length // max_frames)):
        canvas.restore_region(background)
        counter.set_text(f'frame {frame + 1}/{length}')
        figure.draw_artist(counter)
        for panel in panels:
            panel.draw(frame)
        yield Image.fromarray(np.array(canvas.buffer_rgba())[..., :3])


def save_gif(frames: list[Image.Image], path: str | Path, fps: int) -> None:
    """Write frames that share one palette, so that no color flickers."""
    palette = frames[len(frames) // 2].quantize(64, method=Image.Quantize.MAXCOVERAGE)
    first, *rest = (frame.quantize(palette=palette, dither=0) for frame in frames)
    duration = round(1000 / fps)
    first.save(path, 'GIF', save_all=True, loop=0, append_images=rest, duration=duration)
