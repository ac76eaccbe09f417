"""tools/data/convert_nw_ucla.py on made-up and on real recordings."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from stars_mm.datasets import load_annotations
from stars_mm.preparation.layouts import get_layout

NAMES = ('a01_s01_e00_v01', 'a12_s02_e01_v02', 'a06_s10_e05_v03')


@pytest.fixture(scope='module')
def tool(repo_root):
    spec = importlib.util.spec_from_file_location(
        'convert_nw_ucla', repo_root / 'tools/data/convert_nw_ucla.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def frames(num_frames=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((num_frames, 20, 3)).round(4).tolist()


def recordings():
    return {
        name: dict(skeletons=frames(2 + i, i), label=3, file_name=name)
        for i, name in enumerate(NAMES)
    }


def make_zip(tmp_path, contents, prefix='all_sqe/'):
    path = tmp_path / 'all_sqe.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in contents.items():
            if not isinstance(content, (str, bytes)):
                content = json.dumps(content)
            archive.writestr(f'{prefix}{name}.json', content)
    return str(path)


def run(tool, monkeypatch, *args):
    monkeypatch.setattr(sys, 'argv', ['convert_nw_ucla.py', *map(str, args)])
    tool.main()


@pytest.mark.parametrize('kind, suffix', [('zip', 'pkl'), ('zip', 'npz'), ('folder', 'pkl')])
def test_convert(tool, tmp_path, monkeypatch, capsys, kind, suffix):
    src = make_zip(tmp_path, recordings())
    with zipfile.ZipFile(src, 'a') as archive:
        archive.writestr('__MACOSX/all_sqe/._a01_s01_e00_v01.json', b'\0')
        archive.writestr('all_sqe/readme.txt', 'not a recording')
    if kind == 'folder':
        zipfile.ZipFile(src).extractall(tmp_path / 'unpacked')
        src = tmp_path / 'unpacked'
    dst = tmp_path / 'out' / f'nw-ucla.{suffix}'
    run(tool, monkeypatch, src, dst)
    extra = {}
    clips, splits = load_annotations(str(dst), extra)
    assert os.listdir(dst.parent) == [f'nw-ucla.{suffix}']
    assert splits == dict(
        xview_train=[NAMES[0], NAMES[1]], xview_val=[NAMES[2]], xview_val_distinct=[NAMES[2]]
    )
    assert extra['class_names'][5] == 'stand up'
    assert extra['provenance']['recordings'] == 3
    assert get_layout(extra['layout']).num_joints == 20
    clips = {clip['frame_dir']: clip for clip in clips}
    for i, (name, label) in enumerate(zip(NAMES, (0, 9, 5))):
        keypoint = clips[name]['keypoint']
        assert keypoint.dtype == np.float32
        assert keypoint.shape == (1, 2 + i, 20, 3)
        np.testing.assert_allclose(keypoint[0], frames(2 + i, i), rtol=1e-6)
        assert clips[name]['label'] == label
        assert clips[name]['total_frames'] == 2 + i
    printed = capsys.readouterr().out
    assert 'frames: 2 to 4 a clip, 3.0 on average, 9 in all' in printed
    rows = [line.split() for line in printed.splitlines()]
    assert ['a01', '1', '0', '0'] in rows
    assert ['a06', '0', '1', '1'] in rows
    assert ['all', '2', '1', '1'] in rows
    assert 'very coordinates' not in printed


def test_copies_of_training_clips(tool, tmp_path, monkeypatch, capsys):
    contents = recordings()
    contents['a01_s01_e00_v03'] = contents['a01_s01_e00_v01']
    dst = tmp_path / 'nw-ucla.pkl'
    run(tool, monkeypatch, make_zip(tmp_path, contents), dst)
    _, splits = load_annotations(str(dst))
    assert splits['xview_val'] == ['a01_s01_e00_v03', NAMES[2]]
    assert splits['xview_val_distinct'] == [NAMES[2]]
    assert '1 clips of xview_val have the very' in capsys.readouterr().out


def without_a_joint():
    clip = frames()
    del clip[2][7]
    return clip


def with_value(value):
    clip = frames()
    clip[2][7][1] = value
    return clip


BAD = {
    'joint count': (dict(skeletons=without_a_joint()), r"'skeletons'\[2\] has 19 joints.*has 20"),
    'text': (dict(skeletons=with_value('1.5')), r"\[2\] holds \[.*'1\.5'"),
    'null': (dict(skeletons=with_value(None)), r'\[2\] holds .*None'),
    'nan': (dict(skeletons=with_value(float('nan'))), 'holds NaN'),
    'infinity': (dict(skeletons=with_value(float('inf'))), 'holds Infinity'),
    'too large': (dict(skeletons=with_value(1e300)), 'too large'),
    'zero': (dict(skeletons=np.zeros((2, 20, 3)).tolist()), 'zero throughout'),
    'no frames': (dict(skeletons=[]), 'no frames'),
    'no key': (dict(label=1), "no list 'skeletons'"),
    'cut off': ('{"skeletons": [[', 'no readable JSON'),
    'binary': (b'\xff\xfe\xff', 'no readable JSON'),
}


@pytest.mark.parametrize('content, message', BAD.values(), ids=BAD)
def test_a_bad_recording_is_named(tool, tmp_path, monkeypatch, content, message):
    src = make_zip(tmp_path, {**recordings(), 'a02_s01_e00_v01': content})
    dst = tmp_path / 'nw-ucla.pkl'
    with pytest.raises(
        SystemExit,
        match=(
            rf"error: .*all_sqe\.zip: 'all_sqe/a02_s01_e00_v01\.json': "
            rf'.*{message}'
        ),
    ):
        run(tool, monkeypatch, src, dst)
    assert os.listdir(tmp_path) == ['all_sqe.zip']


@pytest.mark.parametrize(
    'name, message',
    [
        ('notes', 'not named aXX_sXX_eXX_vXX'),
        ('a07_s01_e00_v01', "action 'a07' is not in NW-UCLA, which has a01"),
        ('a01_s01_e00_v04', "view 'v04' is not in NW-UCLA"),
    ],
)
def test_a_bad_name(tool, tmp_path, name, message):
    src = make_zip(tmp_path, {name: dict(skeletons=frames())})
    with pytest.raises(ValueError, match=rf"'all_sqe/{name}\.json': .*{message}"):
        tool.convert(src)


def test_sources_that_do_not_fit(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.zip: there is no'):
        tool.convert(str(tmp_path / 'none.zip'))
    with pytest.raises(ValueError, match=r'holds no \.json'):
        tool.convert(str(tmp_path))
    broken = tmp_path / 'broken.zip'
    broken.write_bytes(b'PK')
    with pytest.raises(ValueError, match='neither a folder nor a readable'):
        tool.convert(str(broken))
    twice = {name: dict(skeletons=frames()) for name in ('x/a01_s01_e00_v01', 'y/a01_s01_e00_v01')}
    with pytest.raises(ValueError, match=r"'x/a01_s01_e00_v01\.json' and 'y/a01_s01_e00"):
        tool.convert(make_zip(tmp_path, twice, prefix=''))


def test_the_command_fails_with_one_line(repo_root, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            'tools/data/convert_nw_ucla.py',
            str(tmp_path / 'none.zip'),
            str(tmp_path / 'a.pkl'),
        ],
        cwd=repo_root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'PYTHONPATH': str(repo_root)},
    )
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert 'error:' in done.stderr and 'none.zip' in done.stderr


def test_real_recordings(tool, shared_dir):
    archive = shared_dir / 'data/nw_ucla/all_sqe.zip'
    if not archive.exists():
        pytest.skip(f'no recordings at {archive}')
    clips, splits, _ = tool.convert(str(archive))
    assert len(clips) == len({clip['frame_dir'] for clip in clips}) == 1484
    assert {name: len(split) for name, split in splits.items()} == dict(
        xview_train=1020, xview_val=464, xview_val_distinct=369
    )
    lengths = [clip['total_frames'] for clip in clips]
    assert (min(lengths), max(lengths)) == (1, 201)
    assert round(np.mean(lengths)) == 39
    assert {clip['label'] for clip in clips} == set(range(10))
