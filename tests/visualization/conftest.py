"""The data of a report's page without a training."""

import numpy as np
import pytest

from stars_mm.visualization.clip_frames import pack_clip, packed, skeleton_of


@pytest.fixture(scope='session')
def page_of():
    """``page_of(bank, tests, classes)``: the data of a page."""
    return _page_of


def _page_of(bank: int, tests: int, classes: list[str], movies: int | None = None) -> dict:
    """A page's data of random features: clips of the bank and of the test, and how many of them
    have joints."""
    rng = np.random.default_rng(0)
    total = bank + tests
    labels = np.arange(total) % max(len(classes), 1) if classes else np.full(total, -1)
    corners = rng.uniform(-20000, 20000, (max(len(classes), 1), 2))
    places = corners[labels] + rng.normal(0, 2500, (total, 2))
    neighbors = rng.integers(0, bank, (total, 3))
    if classes:  # mostly of the same class
        same = rng.random((total, 3)) < 0.85
        stride = len(classes)
        own = labels[:, None] + stride * rng.integers(0, bank // stride, (total, 3))
        neighbors = np.where(same, own, neighbors)
    similarity = np.sort(rng.random((total, 3)))[:, ::-1]

    def space(row: str) -> dict:
        return dict(
            row=row,
            title=row,
            places=packed(places, 'int16'),
            neighbors=packed(neighbors, 'int32'),
            similarity=packed(similarity, 'float32'),
            predicted=packed(labels[neighbors[bank:, 0]], 'int16'),
            k=3,
        )

    frames = np.linspace(0, 6, 40)
    body = rng.normal(0, 0.4, (1, 1, 25, 3))
    clips = {}
    for clip in range(bank, min(total, bank + (movies or total))):
        for number in {clip, *neighbors[clip].tolist()}:
            wave = np.sin(frames * (1 + number % 3))[None, :, None, None] * 0.2
            clips[number] = pack_clip((body + wave).astype(np.float32))
    row = dict(row='stars', title='STARS', group='learned', value=85.0, cells=['85.0'])
    base = dict(row='geometry', title='geometry', group='clips', value=80.0, cells=['80.0'])
    curve = [[1, 2, 3], [3.0, 2.0, 1.0]]
    return dict(
        title='Results of <b>a config</b>',
        results=dict(columns=['kNN, k = 1 (%)'], rows=[base, row] if classes else []),
        lost=[],
        clips=dict(
            names=[f'clip{n}' for n in range(total)],
            bank=bank,
            labels=packed(labels, 'int16'),
            classes=classes,
        ),
        spaces=[space('stars'), space('geometry')],
        space='stars',
        movies=dict(skeleton=skeleton_of(25, None), clips=clips),
        few_shot=[],
        curves=[dict(title='stage', loss=curve, lr=curve, knn=curve)],
        notes=['a note'],
        command='stars-mm report work_dir',
    )
