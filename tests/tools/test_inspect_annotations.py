"""tools/data/inspect_annotations.py."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest


def make_file(path, faulty=False, doubtful=False):
    rng = np.random.default_rng(0)
    clips = []
    for number in range(8):
        body = rng.uniform(-0.6, 0.6, (1, 1, 25, 3)) + (0, 0, 3)
        walk = np.cumsum(rng.uniform(0.01, 0.03, (1, 12 + number, 25, 3)), 1)
        clip = dict(frame_dir=f'clip{number}', label=number % 2, total_frames=12 + number)
        clips.append(dict(clip, keypoint=(body + walk).astype('f4')))
    if faulty:
        clips[3]['keypoint'][0, 1, 2, 0] = np.nan
    if doubtful:
        clips[6].update(keypoint=clips[1]['keypoint'], total_frames=13)
    names = [clip['frame_dir'] for clip in clips]
    splits = dict(xsub_train=names[:5], xsub_val=names[5:])
    content = dict(split=splits, annotations=clips, class_names=['wave', 'cost $1_a$'])
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('data/inspect_annotations.py')


def test_the_command(tool, tmp_path, capsys):
    out = tmp_path / 'new' / 'out.json'
    assert tool.main([str(make_file(tmp_path / 'a.pkl', faulty=True)), '--json', str(out)]) == 1
    done = capsys.readouterr()
    assert 'task/s' in done.err and '8/8' in done.err
    assert "'clip3': keypoint[0, 1, 2, 0] is nan" in done.out
    assert done.out.endswith('training cannot use it as it is: 1 fault, 0 warnings\n')
    report = json.loads(out.read_text())
    assert report['sound'] is False and report['warnings'] == []
    assert report['faults'][0]['kind'] == 'clip'
    assert report['whole']['clips'] == 8 and report['persons'] == {'1': 7}
    assert report['splits']['xsub_val'] == dict(
        clips=3, classes=2, frames=dict(min=17, median=18.0, mean=18.0, max=19)
    )
    assert report['classes'][0] == dict(
        label=0, name='wave', clips=4, splits=dict(xsub_train=3, xsub_val=1)
    )
    assert report['units']['name'] == 'metres'
    assert os.listdir(out.parent) == ['out.json']


@pytest.mark.parametrize(
    'doubtful, strict, status', [(False, True, 0), (True, False, 0), (True, True, 1)]
)
def test_status(tool, tmp_path, capsys, doubtful, strict, status):
    path = make_file(tmp_path / 'a.pkl', doubtful=doubtful)
    assert tool.main([str(path)] + ['--strict'] * strict) == status
    assert f'sound: 0 faults, {2 * doubtful} warnings' in capsys.readouterr().out


def test_what_cannot_be_read(tool, tmp_path, capsys):
    cut, evil = tmp_path / 'cut.pkl', tmp_path / 'evil.pkl'
    cut.write_bytes(make_file(tmp_path / 'a.pkl').read_bytes()[:-50])
    evil.write_bytes(b'cbuiltins\neval\n(V1/0\ntR.')
    for path, message in (
        (tmp_path / 'nowhere.pkl', 'no such file'),
        (cut, 'cut off'),
        (evil, 'refused to open'),
    ):
        assert tool.main([str(path)]) == 2
        output = capsys.readouterr()
        assert message in output.err and output.out == ''


def test_the_annotation_file_is_not_overwritten(tool, tmp_path, capsys):
    path = make_file(tmp_path / 'a.pkl')
    before = path.read_bytes()
    with pytest.raises(SystemExit):
        tool.main([str(path), '--json', str(path)])
    assert 'is the annotation file itself' in capsys.readouterr().err
    assert path.read_bytes() == before


def test_pictures(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('PATH', '')  # without ffmpeg
    folder, path = tmp_path / 'pictures', make_file(tmp_path / 'a.pkl', faulty=True)
    assert tool.main([str(path), '--pictures', str(folder)]) == 1
    assert sorted(os.listdir(folder)) == ['classes.png', 'lengths.png', 'samples.gif']
    assert tool.main([str(path), '--pictures', str(folder), '--layout', 'nw-ucla']) == 2
    assert 'has 20 joints, the clips have 25' in capsys.readouterr().err


@pytest.mark.slow
def test_all_tools_start_in_their_folder(repo_root):
    """One process for all: each is run as `python tools/data/NAME.py` is."""
    folder = repo_root / 'tools' / 'data'
    code = """if True:
        import runpy, sys
        sys.path[0] = sys.argv[1]  # as Python does for a script of the folder
        for tool in sys.argv[2:]:
            sys.argv = [tool, '--help']
            try:
                runpy.run_path(tool, run_name='__main__')
            except SystemExit as end:
                assert not end.code, (tool, end.code)
        """
    tools = sorted(map(str, folder.glob('*.py')))
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code, str(folder), *tools],
        env=dict(os.environ, PYTHONPATH=str(repo_root), OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for tool in tools:
        assert f'usage: {os.path.basename(tool)}' in done.stdout
