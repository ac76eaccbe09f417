import os
import stat
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from stars_mm.preparation.inspection import inspect_annotations
from stars_mm.preparation.layouts import NW_UCLA
from stars_mm.visualization.inspection import choose_samples, draw_inspection
from stars_mm.visualization.recordings import (
    DrawnClip,
    animate,
    bones_of,
    plot_class_counts,
    plot_lengths,
)
from stars_mm.visualization.skeleton import bones_for


def make_keypoint(joints=25, frames=8, persons=1, dims=3):
    rng = np.random.default_rng(0)
    body = rng.normal(size=(persons, 1, joints, dims))
    return body + 0.2 * np.arange(frames)[:, None, None]


@pytest.mark.parametrize('joints, layout', [(20, None), (20, 'nw-ucla'), (20, NW_UCLA)])
def test_bones(joints, layout):
    found = {frozenset(pair) for pair in bones_of(joints, layout)}
    assert found == {frozenset(pair) for pair in bones_for(joints)}


def test_bones_of_ntu_and_of_nobody():
    assert len(bones_of(25)) == 24 and bones_of(25) == bones_of(25, 'nturgb+d')
    assert bones_of(6) == ()
    with pytest.raises(ValueError, match='20 joints, the clips have 25'):
        bones_of(25, 'nw-ucla')


def test_points_look_upwards():
    image = make_keypoint(dims=2)
    np.testing.assert_array_equal(DrawnClip('', image).points(), image * [1, -1])
    space = make_keypoint()
    np.testing.assert_allclose(DrawnClip('', space).points()[..., 1], space[..., 1])
    assert DrawnClip('', make_keypoint(dims=1)).points().shape[-1] == 2


def frames_of(path):
    with Image.open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            yield np.array(image.convert('RGB'), dtype=int)


@pytest.mark.parametrize('joints, dims', [(25, 3), (6, 3), (17, 2)])
def test_animation(tmp_path, monkeypatch, joints, dims):
    monkeypatch.setenv('PATH', '')  # without ffmpeg
    recordings = [
        DrawnClip('a $b^', make_keypoint(joints, 8, 2, dims)),
        DrawnClip('short', make_keypoint(joints, 3, 1, dims)),
    ]
    (path,) = animate(recordings, bones_of(joints), tmp_path)
    assert os.listdir(tmp_path) == [path.name] == ['samples.gif']
    frames = list(frames_of(path))
    assert len(frames) == 8
    third = frames[0].shape[1] // 3
    changed = [np.abs(one - other).max(-1) > 100 for one, other in zip(frames, frames[1:])]
    for number, change in enumerate(changed):
        assert change[20:, :third].any()  # the long one goes on
        # and the short one holds still after its third frame
        assert change[20:, third:].any() == (number < 2)


def test_lines_are_drawn_where_bones_are_known(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', '')
    recording = DrawnClip('a', make_keypoint(25, 2))
    ink = []
    for bones in ((), bones_of(25)):
        (path,) = animate([recording], bones, tmp_path)
        ink.append(sum((frame.min(-1) < 128).sum() for frame in frames_of(path)))
    assert ink[1] > 1.5 * ink[0]


def test_mp4_by_ffmpeg(tmp_path, monkeypatch):
    """A stand-in for ffmpeg notes what it is asked for and is given."""
    program = tmp_path / 'bin' / 'ffmpeg'
    program.parent.mkdir()
    program.write_text(
        f'#!{sys.executable}\n'
        + """if True:
        import sys
        pixels = sys.stdin.buffer.read()
        with open(sys.argv[-1], 'w') as file:
            print(len(pixels), min(pixels), *sys.argv[1:], file=file)
        """
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv('PATH', str(program.parent))
    monkeypatch.setitem(matplotlib.rcParams, 'animation.ffmpeg_path', 'ffmpeg')
    gif, mp4 = animate([DrawnClip('a', make_keypoint())], bones_of(25), tmp_path / 'out')
    assert sorted(os.listdir(mp4.parent)) == ['samples.gif', 'samples.mp4']
    pixels, darkest, *options = mp4.read_text().split()
    width, height = map(int, options[options.index('-s') + 1].split('x'))
    with Image.open(gif) as image:
        assert 0 <= image.width - width <= 1 and width % 2 == 0
        assert 0 <= image.height - height <= 1 and height % 2 == 0
        assert int(pixels) == image.n_frames * width * height * 4
    assert int(darkest) < 128
    assert options[options.index('-f', options.index('-i')) + 1] == 'mp4'


def test_charts(tmp_path):
    lengths = {'one $a_': np.array([3, 5, 5]), 'empty': np.array([], int)}
    plot_lengths(lengths, tmp_path / 'new' / 'lengths.png')
    plot_lengths({'one': np.array([7])}, tmp_path / 'single.png')
    plot_lengths({}, tmp_path / 'none.png')
    counts = {'train': {0: 3, 7: 1}, 'val $': {}}
    plot_class_counts(counts, [0, 7], ['wave $', 'bow'], tmp_path / 'a.png')
    plot_class_counts(counts, range(200), None, tmp_path / 'b.png')
    for name in ('new/lengths', 'single', 'none', 'a', 'b'):
        with Image.open(tmp_path / f'{name}.png') as image:
            assert image.format == 'PNG' and min(image.size) > 200
    assert len(list(tmp_path.iterdir())) == 5


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


def test_pictures_of_an_empty_file(tmp_path):
    assert draw_inspection(inspect_annotations([], {}), [], tmp_path, ()) == []


def test_pictures_of_faulty_labels(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', '')
    clips = make_annotations()[:3]
    clips[0]['label'], clips[1]['label'] = -1, [2, 3]
    clips[2].pop('frame_dir')
    files = draw_inspection(inspect_annotations(clips, None, ['a', 'b']), clips, tmp_path, ())
    assert [path.name for path in files] == ['lengths.png', 'classes.png', 'samples.gif']
