import os

import numpy as np
import pytest
from PIL import Image

from stars_mm.preparation.inspection import inspect_annotations
from stars_mm.visualization.annotation_pictures import (
    animate,
    choose_samples,
    draw_inspection,
    upright,
)
from stars_mm.visualization.skeleton import bones_of


def make_keypoint(joints=25, frames=8, persons=1, dims=3):
    rng = np.random.default_rng(0)
    body = rng.normal(size=(persons, 1, joints, dims))
    return body + 0.2 * np.arange(frames)[:, None, None]


def test_clips_look_upwards():
    image, space = make_keypoint(dims=2), make_keypoint()
    np.testing.assert_array_equal(upright(image), image * [1, -1])
    np.testing.assert_allclose(upright(space)[..., 1], space[..., 1])


def frames_of(path):
    with Image.open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            yield np.array(image.convert('RGB'), dtype=int)


def test_animation(tmp_path, monkeypatch):
    """The long clip goes on, the short one holds still after its third frame."""
    monkeypatch.setenv('PATH', '')  # without ffmpeg
    samples = [('a $b^', make_keypoint(25, 8, 2)), ('short', make_keypoint(25, 3))]
    ink = []
    for bones in ((), bones_of(25)):
        (path,) = animate(samples, bones, tmp_path)
        assert os.listdir(tmp_path) == [path.name] == ['samples.gif']
        frames = list(frames_of(path))
        ink.append(sum((frame.min(-1) < 128).sum() for frame in frames))
    assert len(frames) == 8 and ink[1] > 1.2 * ink[0]
    third = frames[0].shape[1] // 3
    for number, (one, other) in enumerate(zip(frames, frames[1:])):
        change = np.abs(one - other).max(-1)[20:] > 100
        assert change[:, :third].any() and change[:, third:].any() == (number < 2)


def make_annotations():
    return [
        dict(frame_dir=f'clip{n}', label=n // 2, keypoint=make_keypoint(6, 4 + n))
        for n in range(20)
    ]


def test_samples_are_of_spread_classes():
    clips = make_annotations()
    clips[18]['keypoint'][0, 1, 2, 0] = np.nan
    clips[0]['label'] = 'text'
    report = inspect_annotations(clips, None)
    labels = [None] + [n // 2 for n in range(1, 20)]
    chosen = choose_samples(report, labels)
    assert [labels[n] for n in chosen] == [0, 1, 3, 5, 7, 9]
    assert chosen[-1] == 19  # the other one of its class is faulty
    assert len(set(choose_samples(report, [None] * 20))) == 6


@pytest.mark.parametrize('faulty', [True, False])
def test_pictures_of_a_file(tmp_path, monkeypatch, faulty):
    monkeypatch.setenv('PATH', '')
    clips = make_annotations()[:3]
    if faulty:
        clips[0]['label'], clips[1]['label'] = -1, [2, 3]
        clips[2].pop('frame_dir')
    splits = None if faulty else {'train $': ['clip0', 'clip1'], 'val': ['clip2']}
    files = draw_inspection(inspect_annotations(clips, splits, ['a $', 'b']), clips, tmp_path, ())
    assert [path.name for path in files] == ['lengths.png', 'classes.png', 'samples.gif']
    for path in files:
        with Image.open(path) as image:
            assert min(image.size) > 200
    assert draw_inspection(inspect_annotations([], {}), [], tmp_path, ()) == []
