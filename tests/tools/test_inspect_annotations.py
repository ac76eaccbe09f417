"""tools/data/inspect_annotations.py."""

import json
import os
import pickle
import sys

import numpy as np
import pytest


@pytest.fixture
def make_file(tmp_path, make_clip):
    """``make_file(faulty, doubtful)``: eight clips, one with NaN, or one as in training."""

    def _make(faulty=False, doubtful=False):
        clips = [make_clip(n, (1, 12 + n, 25, 3), label=n % 2) for n in range(8)]
        if faulty:
            clips[3]['keypoint'][0, 1, 2, 0] = np.nan
        if doubtful:
            clips[6].update(keypoint=clips[1]['keypoint'], total_frames=13)
        names = [clip['frame_dir'] for clip in clips]
        content = dict(split=dict(xsub_train=names[:5], xsub_val=names[5:]), annotations=clips)
        path = tmp_path / 'a.pkl'
        path.write_bytes(pickle.dumps(dict(content, class_names=['wave', 'cost $1_a$'])))
        return path

    return _make


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('data/inspect_annotations.py')


def test_the_command(tool, make_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv('PATH', '')  # without ffmpeg
    path, out, pictures = str(make_file(faulty=True)), tmp_path / 'new/a.json', tmp_path / 'png'
    assert tool.main([path, '--json', str(out), '--pictures', str(pictures)]) == 1
    assert sorted(os.listdir(pictures)) == ['classes.png', 'lengths.png', 'samples.gif']
    printed = capsys.readouterr().out
    assert "'clip3': keypoint[0, 1, 2, 0] is nan" in printed
    assert 'training cannot use it as it is: 1 fault, 0 warnings\n' in printed
    report = json.loads(out.read_text())
    assert report['sound'] is False and report['warnings'] == []
    assert report['faults'][0]['kind'] == 'clip'
    splits = dict(xsub_train=3, xsub_val=1)
    assert report['classes'][0] == dict(label=0, name='wave', clips=4, splits=splits)
    assert report['persons'] == {'1': 7} and os.listdir(out.parent) == ['a.json']
    assert tool.main([path, '--pictures', str(pictures), '--layout', 'nw-ucla']) == 2
    assert 'has 20 joints, the clips have 25' in capsys.readouterr().err


def test_status(tool, make_file, capsys):
    for doubtful, strict, status in ((False, True, 0), (True, False, 0), (True, True, 1)):
        path = make_file(doubtful=doubtful)
        assert tool.main([str(path)] + ['--strict'] * strict) == status
        assert f'sound: 0 faults, {2 * doubtful} warnings' in capsys.readouterr().out


def test_what_cannot_be_read_and_is_not_overwritten(tool, make_file, tmp_path, capsys):
    path, cut, evil = make_file(), tmp_path / 'cut.pkl', tmp_path / 'evil.pkl'
    before = path.read_bytes()
    cut.write_bytes(before[:-50])
    evil.write_bytes(b'cbuiltins\neval\n(V1/0\ntR.')
    for other, message in ((cut, 'cut off'), (evil, 'refused to open'), ('no.pkl', 'no such file')):
        assert tool.main([str(other)]) == 2
        output = capsys.readouterr()
        assert message in output.err and output.out == ''
    assert tool.main([str(path), '--json', str(path)]) == 2
    assert 'is the annotation file itself' in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.slow
def test_all_tools_start_in_their_folder(repo_root, run_command):
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
    tools = sorted(folder.glob('*.py'))
    printed = run_command(sys.executable, '-W', 'ignore', '-c', code, folder, *tools).stdout
    assert all(f'usage: {tool.name}' in printed for tool in tools)
