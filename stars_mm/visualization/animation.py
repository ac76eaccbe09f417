"""Animated clips: recording, kept tokens, and what the decoder predicts."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.ticker import MultipleLocator
from PIL import Image

from stars_mm.visualization.motion import MaskedClip
from stars_mm.visualization.skeleton import bones_for, project, segments
from stars_mm.visualization.style import GREY, LIGHT_GREY, PALETTE, new_figure, report_style

MARGIN = 0.1  # metres between a skeleton and the edge of its panel
INCHES = 2.1  # width and height of a panel
DPI = 90


class Drawing:
    """The moving lines and points of one person in one panel."""

    def __init__(self, axis, bones, colour: str, line: float, dot: float) -> None:
        self.bones = bones
        self.axis = axis
        self.lines = LineCollection(
            [], colors=colour, linewidths=line, capstyle='round', animated=True
        )
        axis.add_collection(self.lines, autolim=False)
        (self.dots,) = axis.plot(
            [], [], 'o', color=colour, markersize=dot, markeredgewidth=0, animated=True
        )

    def draw(self, points: np.ndarray, shown: np.ndarray) -> None:
        """Draw ``points (V, 2)`` where ``shown (V,)``."""
        self.lines.set_segments(segments(points, self.bones, shown))
        self.dots.set_data(points[shown, 0], points[shown, 1])
        self.axis.draw_artist(self.lines)
        self.axis.draw_artist(self.dots)


class _ClipRow:
    """The three panels of one clip."""

    def __init__(self, axes: Sequence, clip: MaskedClip) -> None:
        self.clip = clip
        self.persons = clip.present()
        self.true = project(clip.true)
        guess = np.where(clip.hidden[..., None], clip.predicted, clip.true)
        self.guess = project(guess)
        bones = bones_for(clip.true.shape[2])
        self.drawings = []
        for number, _ in enumerate(self.persons):
            colour = PALETTE[number % len(PALETTE)]
            self.drawings.append(
                (
                    Drawing(axes[0], bones, colour, 1.6, 2.6),
                    Drawing(axes[1], bones, LIGHT_GREY, 1.2, 2.2),
                    Drawing(axes[1], bones, colour, 2.4, 6.0),
                    Drawing(axes[2], bones, LIGHT_GREY, 2.4, 3.6),
                    Drawing(axes[2], bones, colour, 1.6, 2.6),
                )
            )
        self._set_up(axes)

    def _set_up(self, axes: Sequence) -> None:
        """The same ranges in metres for all panels of the row."""
        places = self.true[self.persons].reshape(-1, 2)
        low, high = places.min(0), places.max(0)
        middle, half = (low + high) / 2, (high - low).max() / 2 + MARGIN
        for axis in axes:
            axis.set_xlim(middle[0] - half, middle[0] + half)
            axis.set_ylim(middle[1] - half, middle[1] + half)
            axis.xaxis.set_major_locator(MultipleLocator(0.5))
            axis.yaxis.set_major_locator(MultipleLocator(0.5))
            axis.tick_params(labelsize=7, colors='#666666')
        for axis in axes[1:]:
            axis.tick_params(labelleft=False)
        axes[0].set_ylabel(f'{self.clip.title}\nheight (m)', fontsize=9)

    def draw(self, frame: int) -> None:
        """Draw one frame in the three panels."""
        for person, drawings in zip(self.persons, self.drawings):
            true = self.true[person, frame]
            guess = self.guess[person, frame]
            kept = ~self.clip.hidden[person, frame]
            every = np.ones_like(kept)
            for drawing, points, shown in zip(
                drawings, (true, true, true, true, guess), (every, every, kept, every, every)
            ):
                drawing.draw(points, shown)


def write_gif(
    clips: Sequence[MaskedClip],
    path: str | Path,
    caption: str = '',
    max_frames: int = 64,
    fps: int = 12,
) -> None:
    """Animate clips, a row a clip: recording, kept tokens, prediction.

    Args:
        clips (sequence[MaskedClip]): Clips of the same length T, each with somebody in it.
        path (str or Path): The GIF to write.
        caption (str): Text under the panels.
        max_frames (int): Longer clips skip frames.
        fps (int): Frames shown a second.
    """
    lines = caption.count('\n') + 1 if caption else 0
    size = (3 * INCHES + 0.7, INCHES * len(clips) + 0.75 + 0.15 * lines)
    with report_style():
        figure, axes = new_figure(len(clips), 3, figsize=size)
        rows = [_ClipRow(row, clip) for row, clip in zip(axes, clips)]
        kept = 1 - np.mean([c.hidden[c.present()].mean() for c in clips])
        for axis, heading in zip(
            axes[0],
            ('recording', f'shown: {100 * kept:.0f} % of tokens', 'predicted (grey: truth)'),
        ):
            axis.set_title(heading, fontsize=9.5)
        for axis in axes[-1]:
            axis.set_xlabel('across (m)', fontsize=8)
        figure.supxlabel(caption, fontsize=7, color='#444444')
        figure.set_dpi(DPI)
        frames = list(render(figure, rows, clips[0].true.shape[1], max_frames))
    save_gif(frames, path, fps)


def render(figure, parts: Sequence, length: int, max_frames: int) -> Iterator[Image.Image]:
    """Draw what stands still once, and on it what moves, frame by frame.

    Args:
        figure (Figure): With room for a counter in its upper left corner.
        parts (sequence): Each with ``draw(frame)``.
        length (int): Frames to draw.
        max_frames (int): More are skipped evenly.

    Yields:
        Image.Image: A frame, RGB.
    """
    canvas = figure.canvas
    canvas.draw()
    figure.set_layout_engine('none')
    counter = figure.text(0.01, 0.99, '', fontsize=8, color=GREY, va='top', animated=True)
    background = canvas.copy_from_bbox(figure.bbox)
    for frame in range(0, length, -(-length // max_frames)):
        canvas.restore_region(background)
        counter.set_text(f'frame {frame + 1}/{length}')
        figure.draw_artist(counter)
        for part in parts:
            part.draw(frame)
        yield Image.fromarray(np.array(canvas.buffer_rgba())[..., :3])


def save_gif(frames: list[Image.Image], path: str | Path, fps: int) -> None:
    """Write frames that share one palette, so that no colour flickers."""
    palette = frames[len(frames) // 2].quantize(64, method=Image.Quantize.MAXCOVERAGE)
    frames = [frame.quantize(palette=palette, dither=0) for frame in frames]
    frames[0].save(
        path,
        format='GIF',
        save_all=True,
        loop=0,
        append_images=frames[1:],
        duration=round(1000 / fps),
    )
