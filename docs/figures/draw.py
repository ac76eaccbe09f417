"""Draws the pictures of the pages into this folder.

    python docs/figures/draw.py

The skeletons, the motion and what is hidden are computed from a generated recording.
"""

from html import escape
from pathlib import Path

import numpy as np
import torch

from stars_mm.datasets.transforms import CenterSkeleton, TemporalCropResize
from stars_mm.demo import CLASS_NAMES, make_annotations
from stars_mm.models.utils.masking import motion_aware_masking, patchify
from stars_mm.preparation.layouts import get_layout

FOLDER = Path(__file__).parent
INK, FAINT, BLUE, ORANGE, HIDDEN = '#24292f', '#8c959f', '#1f6feb', '#d9660a', '#d0d7de'
CLASSES = ('#1f6feb', '#d9660a', '#2da44e', '#8250df')


class Picture:
    """An SVG on white, so that it is seen on light and dark pages."""

    def __init__(self, width: int, height: int) -> None:
        self.size, self.parts = (width, height), []

    def add(self, tag: str, text: str = '', **attributes) -> None:
        found = ' '.join(f'{key.replace("_", "-")}="{value}"' for key, value in attributes.items())
        self.parts.append(f'<{tag} {found}>{escape(text)}</{tag}>' if text else f'<{tag} {found}/>')

    def rect(self, x, y, width, height, fill, stroke='none', rx=0, **more) -> None:
        self.add(
            'rect', x=x, y=y, width=width, height=height, fill=fill, stroke=stroke, rx=rx, **more
        )

    def dot(self, x, y, r, fill, stroke='none') -> None:
        self.add('circle', cx=f'{x:.1f}', cy=f'{y:.1f}', r=r, fill=fill, stroke=stroke)

    def line(self, *points, color=INK, width=1.5, arrow=False, dash='none') -> None:
        path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
        more = dict(marker_end=f'url(#{color[1:]})') if arrow else {}
        self.add(
            'polyline', points=path, fill='none', stroke=color, stroke_width=width,
            stroke_dasharray=dash, stroke_linecap='round', **more,
        )  # fmt: skip

    def text(self, x, y, lines: str, size=13, color=INK, anchor='middle', bold=False) -> None:
        lines = lines.split('\n')
        y += size / 3 - (len(lines) - 1) / 2 * size * 1.3
        for number, line in enumerate(lines):
            self.add(
                'text', line, x=x, y=f'{y + number * size * 1.3:.1f}',
                font_size=size, fill=color, text_anchor=anchor,
                font_weight='600' if bold else '400',
            )  # fmt: skip

    def box(self, x, y, width, height, lines, fill='#ffffff', stroke=FAINT, size=13) -> None:
        self.rect(x, y, width, height, fill, stroke, 6)
        self.text(x + width / 2, y + height / 2, lines, size)

    def arrow(self, *points, label='', at=None, color=INK, dash='none', anchor='start') -> None:
        self.line(*points, color=color, arrow=True, dash=dash)
        if label:
            x, y = at or (np.mean([points[0], points[-1]], axis=0) + (6, 0))
            self.text(x, y, label, 12, '#57606a', anchor)

    def save(self, name: str, title: str) -> None:
        width, height = self.size
        markers = ''.join(
            f'<marker id="{color[1:]}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="{color}"/></marker>'
            for color in (INK, FAINT, BLUE, ORANGE)
        )
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" '
            'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" '
            f'role="img"><title>{escape(title)}</title><defs>{markers}</defs>'
            f'<rect width="{width}" height="{height}" rx="10" fill="#ffffff"/>'
        )
        (FOLDER / name).write_text('\n'.join([head, *self.parts, '</svg>\n']), encoding='utf-8')


def recording(action: str, frames: int = 64) -> np.ndarray:
    """A generated clip as an encoder gets it, (T, 25, 3)."""
    found = make_annotations(3, 3, seed=1, noise=False)
    clip = next(c for c in found['annotations'] if c['label'] == CLASS_NAMES.index(action))
    results = CenterSkeleton(center_joint=1, align=(4, 8))(dict(clip))
    return TemporalCropResize(clip_len=frames, p_interval=1.0)(results)['keypoint'][0]


def skeleton(picture: Picture, joints: np.ndarray, x, y, scale, colors=None) -> None:
    """A pose (25, 3) seen from the front, its spine at x, y."""
    spots = np.array([x, y]) + scale * joints[:, :2] * (1, -1)
    for joint, parent in enumerate(get_layout('ntu-25').parents):
        if joint != parent:
            picture.line(spots[joint], spots[parent], color=FAINT, width=2)
    for joint, spot in enumerate(spots):
        picture.dot(*spot, 3, colors[joint] if colors else INK)


def mix(share: float, begin=(208, 215, 222), end=(217, 102, 10)) -> str:
    """One of ten colors between grey (0) and orange (1)."""
    share = round(9 * share) / 9
    return '#' + ''.join(f'{int(a + (b - a) * share):02x}' for a, b in zip(begin, end))


def grid(picture: Picture, x, y, colors: list[list[str]], cell=7) -> None:
    """Cells (rows, columns), a path a color."""
    paths: dict[str, str] = {}
    for row, line in enumerate(colors):
        for column, color in enumerate(line):
            begin = f'M{x + column * cell} {y + row * cell}'
            paths[color] = paths.get(color, '') + f'{begin}h{cell - 1}v{cell - 1}h{1 - cell}z'
    for color, path in paths.items():
        picture.add('path', d=path, fill=color)


def draw_stage1() -> None:
    """Masked motion prediction."""
    clip = recording('throw')
    tokens = patchify(torch.from_numpy(clip)[None], 4, 1)  # (1, T′, V, P)
    torch.manual_seed(2)
    kept, _, _ = motion_aware_masking(tokens, 0.9, 0.8, torch.rand(1, tokens[0, ..., 0].numel()))
    speed = np.abs(np.diff(clip, axis=0)).mean(-1)  # (T − 1, V)
    speed = np.concatenate([speed[:1], speed]).reshape(16, 4, 25).mean(1)  # (T′, V)
    share = (speed / speed.max()) ** 0.6
    seen = np.zeros(16 * 25, dtype=bool)
    seen[kept[0].numpy()] = True
    seen = seen.reshape(16, 25)

    picture = Picture(960, 500)
    picture.text(
        20,
        24,
        'A recording: the more orange a joint, the more it moves',
        14,
        anchor='start',
        bold=True,
    )
    for number, frame in enumerate((4, 16, 26, 32, 38, 46, 58)):
        colors = [mix(value) for value in share[frame // 4]]
        skeleton(picture, clip[frame], 85 + 132 * number, 130, 92, colors)
    left, top = 20, 285
    for x, title in ((left, 'motion of each token'), (left + 175, 'nine tenths are hidden')):
        picture.text(x, top - 18, title, 13, anchor='start', bold=True)
    grid(picture, left, top, [[mix(v) for v in row] for row in share.T])
    grid(picture, left + 175, top, [[BLUE if s else HIDDEN for s in row] for row in seen.T])
    picture.text(left, top + 190, '25 joints × 16 pieces of time', 12, '#57606a', 'start')
    picture.arrow((left + 122, top + 88), (left + 168, top + 88))
    picture.text(left + 145, top + 72, 'draw', 12, '#57606a')
    x = left + 340
    picture.arrow((x - 45, top + 40), (x, top + 40), color=BLUE)
    picture.text(x - 24, top + 24, 'kept', 12, BLUE)
    picture.box(x, top + 10, 130, 60, 'encoder\n(transformer)', '#ddf4ff', BLUE)
    picture.arrow((x + 130, top + 40), (x + 180, top + 40))
    picture.box(x + 180, top + 10, 130, 60, 'decoder')
    picture.line((x - 45, top + 130), (x + 245, top + 130), color=FAINT, dash='4 4')
    picture.arrow((x + 245, top + 130), (x + 245, top + 74), color=FAINT)
    picture.text(x + 100, top + 146, 'where the hidden ones are', 12, '#57606a')
    picture.arrow((x + 310, top + 40), (x + 360, top + 40))
    picture.box(
        x + 360, top + 10, 220, 60, 'predicted motion\nof the hidden tokens', '#fff1e5', ORANGE
    )
    picture.arrow((x + 470, top + 130), (x + 470, top + 74), color=ORANGE)
    picture.box(
        x + 360, top + 130, 220, 60, 'squared error to their\nmotion, normalized', '#fff1e5', ORANGE
    )
    picture.save('stage1.svg', 'Stage 1, masked motion prediction')


def draw_stage2() -> None:
    """Tuning by nearest neighbors."""
    clip = recording('throw')
    picture = Picture(960, 430)
    for y, angle, name in ((110, -0.5, 'view 1'), (310, 0.8, 'view 2')):
        turn = np.array(
            [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        )
        skeleton(picture, clip[48] @ turn, 75, y, 80)
        picture.text(75, y - 95, name, 13, bold=True)
        picture.arrow((130, y), (175, y))
        picture.box(175, y - 35, 130, 70, 'encoder\nmean of all tokens', '#ddf4ff', BLUE)
        picture.arrow((305, y), (350, y))
    picture.text(240, 210, 'one encoder;\nupper half trained', 12, '#57606a')
    picture.box(350, 75, 110, 70, 'projector')
    picture.box(350, 275, 110, 70, 'projector,\npredictor')
    picture.arrow((460, 110), (520, 110))
    picture.rect(520, 20, 250, 190, '#f6f8fa', FAINT, 8)
    picture.text(645, 38, 'queue of earlier clips', 13, bold=True)
    rng = np.random.default_rng(3)
    for center, color in zip(((575, 90), (700, 85), (590, 170), (710, 165)), CLASSES):
        for spot in rng.normal(center, 11, (9, 2)):
            picture.dot(*spot, 4, color)
    picture.dot(548, 118, 6, '#ffffff', INK)
    picture.arrow((550, 114), (566, 100), color=INK)
    picture.dot(569, 96, 6, CLASSES[0], INK)
    picture.text(528, 137, 'view 1', 12, anchor='start')
    picture.arrow((770, 110), (860, 110), (860, 272))
    picture.text(868, 95, 'nearest neighbor', 12, '#57606a')
    picture.arrow((460, 310), (770, 310))
    picture.box(770, 275, 170, 70, 'loss: pick the neighbor\nout of the batch', '#fff1e5', ORANGE)
    picture.text(
        480, 400,
        'What a clip resembles already is drawn nearer, so clips of one action gather.',
        13, '#57606a',
    )  # fmt: skip
    picture.save('stage2.svg', 'Stage 2, tuning by nearest neighbors')


def draw_spaces() -> None:
    """In which features clips are compared."""
    picture = Picture(960, 470)
    picture.box(20, 60, 130, 60, 'clip\n(M, T, V, 3)')
    picture.box(20, 250, 130, 60, 'encoder', '#ddf4ff', BLUE)
    picture.arrow((85, 120), (85, 250), color=BLUE)
    rows = (
        (30, 'positions', 'less 70 % of each joint’s mean', '#ffffff', FAINT),
        (110, 'distances', 'between the joints of a person', '#ffffff', FAINT),
        (210, 'joints', 'mean over time: a vector a joint', '#ddf4ff', BLUE),
        (310, 'published', 'mean of all tokens: 256 numbers', '#ddf4ff', BLUE),
    )
    for y, name, about, fill, stroke in rows:
        picture.box(200, y, 250, 56, f'{name}\n{about}', fill, stroke)
        start = (150, 90) if y < 200 else (150, 280)
        picture.arrow(start, (200, y + 28))
    for y in (58, 138, 238):
        picture.arrow((450, y), (500, y))
        picture.box(500, y - 24, 120, 48, 'half-whitened')
    picture.line((635, 34), (645, 34), (645, 162), (635, 162), color=FAINT)
    picture.arrow((645, 98), (690, 98))
    picture.text(690, 98, '  geometry', 14, anchor='start', bold=True)
    picture.line((760, 34), (775, 34), (775, 262), (760, 262), color=FAINT)
    picture.line((620, 238), (760, 238), color=FAINT)
    picture.arrow((775, 148), (815, 148))
    picture.text(820, 148, 'combined', 14, anchor='start', bold=True)
    picture.arrow((450, 338), (690, 338))
    picture.text(695, 338, 'compared as it is', 13, anchor='start')
    picture.text(20, 405, 'pulled', 14, anchor='start', bold=True)
    rng = np.random.default_rng(0)
    for center, color in zip(((140, 425), (250, 425)), CLASSES):
        for spot in rng.normal(center, (28, 16), (9, 2)):
            near = np.array(center) + 0.35 * (spot - center)
            picture.dot(*spot, 4, color)
            picture.dot(near[0] + 330, near[1], 4, color)
    picture.arrow((310, 425), (400, 425))
    picture.text(
        640, 425,
        'each clip is drawn to those that are\namong its nearest and have it '
        'among theirs;\nno label is seen',
        13, '#57606a', 'start',
    )  # fmt: skip
    picture.save('spaces.svg', 'Feature spaces')


def column(picture: Picture, x: int, width: int, rows) -> None:
    """Boxes below each other with labelled arrows: (y, height, text, label of the arrow to it)."""
    last = None
    for y, height, text, label in rows:
        if last is not None:
            picture.arrow((x + width / 2, last), (x + width / 2, y), label=label)
        picture.box(x, y, width, height, text, size=12)
        last = y + height


def group(picture: Picture, x, y, width, height, name) -> None:
    picture.rect(x, y, width, height, '#f6f8fa', HIDDEN, 8)
    picture.text(x + 10, y + 14, name, 12, '#57606a', 'start')


def draw_clip() -> None:
    """The way of a clip, for architecture.md."""
    picture = Picture(940, 610)
    group(picture, 30, 330, 430, 262, 'worker')
    group(picture, 490, 160, 430, 432, 'MAMP.loss')
    column(
        picture, 95, 290,
        (
            (20, 40, 'recordings, as a data set is distributed', ''),
            (90, 40, 'convert(): units, checks, splits', 'a reader yields Recordings'),
            (160, 44, 'annotation file, .pkl or .npz\nkeypoint (M, T, V, C)', ''),
            (240, 44, 'clip store\nmemory-mapped arrays and offsets', 'once, checked clip by clip'),
            (356, 40, 'SkeletonDataset: one clip', ''),
        ),
    )  # fmt: skip
    picture.box(45, 455, 190, 50, 'FormatGCNInput\nPackActionInputs', size=12)
    picture.box(255, 455, 190, 50, 'PackViews: the clip and\nits random numbers', size=12)
    picture.arrow((190, 396), (140, 455), label='transforms', at=(60, 426))
    picture.arrow((290, 396), (350, 455), label='NTU, PKU-MMD', at=(340, 426))
    picture.box(145, 540, 190, 36, 'collate_clips', size=12)
    picture.arrow((140, 505), (210, 540))
    picture.arrow((350, 505), (270, 540))
    picture.arrow((335, 558), (475, 558), (475, 90), (560, 90), label='one batch', at=(380, 546))
    picture.box(
        560,
        60,
        290,
        60,
        'SkeletonPreprocessor: to the device;\nmakes the views that were only drawn',
        size=12,
    )
    picture.arrow((705, 120), (705, 200), label='(N, clips, M, T, V, C)', at=(712, 142))
    column(
        picture, 560, 290,
        (
            (200, 40, 'motion_aware_masking', ''),
            (300, 40, 'SkeletonTransformer.encode', 'ids_keep (B, K), B = N·clips·M'),
            (400, 54, 'MAMPDecoder.predict_hidden,\nor a part: MAMPCrossDecoder', '(B, K, 256)'),
            (514, 54, 'MAMPHead: squared error\nto the normalized motion', '(B, L − K, P)'),
        ),
    )  # fmt: skip
    picture.save('clip.svg', 'The way of a clip')


def draw_run() -> None:
    """The way of a run, for architecture.md."""
    picture = Picture(940, 520)
    group(picture, 490, 20, 430, 190, 'stage 1, in work_dir/pretrain/')
    group(picture, 490, 250, 430, 190, 'stage 2, in work_dir/')
    column(
        picture, 40, 300,
        (
            (20, 50, 'configs/stars_ntu60.py\nstage 2, and stages = [stage 1]', ''),
            (105, 40, 'stars-mm train, or mmaction2’s train.py', ''),
            (185, 40, 'StagedRunner', 'runner_type'),
        ),
    )  # fmt: skip
    picture.arrow(
        (340, 205),
        (415, 205),
        (415, 72),
        (560, 72),
        label='the stage’s config\nand its options',
        at=(408, 165),
        anchor='end',
    )
    column(
        picture, 560, 290,
        (
            (52, 36, 'a StagedRunner of its own', ''),
            (108, 36, 'mmengine’s train loop: MAMP', ''),
            (164, 36, 'last checkpoint', ''),
        ),
    )  # fmt: skip
    picture.arrow((560, 182), (450, 182), (450, 290), (340, 290), label='load_from', at=(458, 236))
    picture.box(40, 265, 300, 50, 'is the encoder initialized?\nElse an error', size=12)
    picture.arrow((340, 305), (560, 305))
    column(
        picture, 560, 290,
        (
            (285, 36, 'mmengine’s train loop: STARS', ''),
            (342, 36, 'FeatureValLoop', 'every val_interval epochs'),
            (399, 36, 'KNN, few-shot, cluster, ridge metrics', 'features of bank and query, once'),
        ),
    )  # fmt: skip
    picture.arrow((490, 400), (340, 400))
    picture.box(40, 380, 300, 40, 'last epoch: the reported one', size=12)
    picture.arrow((190, 420), (190, 455))
    picture.box(
        40,
        455,
        300,
        50,
        'evaluate: protocols and one table\nreport: the stages side by side',
        size=12,
    )
    picture.save('run.svg', 'The way of a run')


if __name__ == '__main__':
    for draw in (draw_stage1, draw_stage2, draw_spaces, draw_clip, draw_run):
        draw()
