"""tools/data/convert.py on made-up recordings."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from stars_mm.datasets import load_annotations
from stars_mm.preparation.layouts import get_layout
from stars_mm.utils.safe_pickle import load_pickle

LAYOUT = dict(name='stick', joints=['hip', 'left', 'right'], parents=[None, 0, 0], center=0)
NAMES = [f'{label}/{who}_1' for label in ('turn', 'bend') for who in ('ada', 'bob', 'cyd')]


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('data/convert.py')


def values(number):
    return np.random.default_rng(number).normal(1000, 300, (5 + number, 9)).round(2)


@pytest.fixture
def lab(tmp_path):
    """Two classes, three subjects, a take each; ``stick.json`` beside."""
    (tmp_path / 'stick.json').write_text(json.dumps(dict(LAYOUT, unit='mm')))
    for number, name in enumerate(NAMES):
        path = tmp_path / f'lab/{name}.csv'
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, values(number), fmt='%.2f', delimiter=',')
    return tmp_path


def run(tool, lab, *more):
    options = ['--layout', lab / 'stick.json', '--pattern', '{label}/{subject}_{take}', *more]
    tool.main([str(word) for word in (lab / 'lab', lab / 'out/lab.pkl', *options)])
    assert os.listdir(lab / 'out') == ['lab.pkl']
    return load_pickle(str(lab / 'out/lab.pkl'))


def test_convert(tool, lab, capsys):
    content = run(tool, lab, '--val-subjects', 'bob')
    assert content['split'] == dict(
        xsub_train=['bend/ada_1', 'bend/cyd_1', 'turn/ada_1', 'turn/cyd_1'],
        xsub_val=['bend/bob_1', 'turn/bob_1'],
    )
    assert [clip['frame_dir'] for clip in content['annotations']] == sorted(NAMES)
    for clip in content['annotations']:
        name = clip['frame_dir']
        number = NAMES.index(name)
        metres = values(number).reshape(1, -1, 3, 3) / 1000
        assert clip['keypoint'].dtype == np.float32
        np.testing.assert_allclose(clip['keypoint'], metres, rtol=1e-6)
        assert (clip['label'], clip['subject']) == (name.startswith('turn'), name[5:8])
        assert clip['total_frames'] == 5 + number and 'keypoint_score' not in clip
    assert (content['class_names'], content['layout']) == (['bend', 'turn'], 'stick')
    assert get_layout(content['skeleton']) == get_layout(dict(LAYOUT, unit='m'))
    provenance = content['provenance']
    assert (provenance['source'], provenance['reader']) == ('lab', 'folder')
    assert provenance['options']['split'] == dict(val_subjects=['bob'], over='subject', seed=0)
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert ['bend', '2', '1'] in rows and ['all', '4', '2'] in rows
    assert 'frames: 5 to 10 a clip, 7.5 on average, 45 in all' in printed


def test_index_classes_and_units(tool, lab):
    rows = 'name,label,subject,split\nturn/ada_1,10,a,test\nturn/bob_1,9,b,train\n'
    (lab / 'index.csv').write_text(f'{rows}bend/cyd_1,2,c,train\n')
    content = run(tool, lab, '--index', lab / 'index.csv', '--unit', 'cm', '--up', 'z')
    assert content['class_names'] == ['2', '9', '10']
    assert content['split'] == dict(train=['bend/cyd_1', 'turn/bob_1'], test=['turn/ada_1'])
    clip = content['annotations'][1]
    assert clip['frame_dir'] == 'turn/ada_1' and clip['label'] == 2
    x, y, z = np.moveaxis(values(0).reshape(1, 5, 3, 3) / 100, -1, 0)
    np.testing.assert_allclose(clip['keypoint'], np.stack([x, z, -y], -1), rtol=1e-6)
    content = run(tool, lab, '--index', lab / 'index.csv', '--classes', '10', '2', '9', '5')
    assert content['class_names'] == ['10', '2', '9', '5']
    assert content['annotations'][1]['label'] == 0
    (lab / 'classes.txt').write_text('turn\nbend\n')
    content = run(tool, lab, '--classes', lab / 'classes.txt')
    assert content['class_names'] == ['turn', 'bend']


def test_pixels_with_scores(tool, lab):
    (lab / 'stick.json').write_text(json.dumps(dict(LAYOUT, unit='px')))
    clip, expected = run(tool, lab)['annotations'][3], values(0).reshape(1, 5, 3, 3).astype('f4')
    np.testing.assert_array_equal(clip['keypoint'], expected[..., :2])
    np.testing.assert_array_equal(clip['keypoint_score'], expected[..., 2])
    assert 'keypoint_score' not in run(tool, lab, '--no-scores')['annotations'][3]


def test_a_reader_of_ones_own(tool, lab):
    reader = """import numpy as np
def read(src, count=4):
    for n in range(count):
        yield dict(name=f'clip{n}', label=n % 2, keypoints=np.full((2, 6, 3, 2), n + 1.), subject=n)
"""
    (lab / 'my_reader.py').write_text(reader)
    options = ['--reader', f'{lab}/my_reader.py:read', '--layout', f'{lab}/stick.json']
    path = str(lab / 'out.pkl')
    tool.main([str(lab), path, *options, '--reader-options', 'count=5', '--unit', 'px'])
    content = load_pickle(path)
    assert [clip['label'] for clip in content['annotations']] == [0, 1, 0, 1, 0]
    assert content['annotations'][4]['keypoint'].shape == (2, 6, 3, 2)
    assert content['skeleton']['unit'] == 'px'
    assert content['provenance']['reader_options'] == dict(count=5)


def test_a_bad_file_is_named_dropped_or_mended(tool, lab, capsys):
    run(tool, lab)
    older = (lab / 'out/lab.pkl').read_bytes()
    (lab / 'lab/turn/bob_1.csv').write_text('1,2,3,4,5,6,7,8,9\n1,2,3,,,,7,8,9\n1,2,3,8,9,10,7,8,9')
    with pytest.raises(SystemExit, match=r'error: .*turn/bob_1\.csv: .*joint left of person 0 is'):
        run(tool, lab)
    assert (lab / 'out/lab.pkl').read_bytes() == older
    content = run(tool, lab, '--invalid', 'drop')
    assert len(content['annotations']) == 5
    assert sum(content['provenance']['left_out'].values()) == 1
    assert 'note: left out, 1 clips: ' in capsys.readouterr().out
    content = run(tool, lab, '--missing', 'interpolate')
    filled = content['annotations'][4]['keypoint'][0, :, 1] * 1000
    np.testing.assert_allclose(filled, [[4, 5, 6], [6, 7, 8], [8, 9, 10]], rtol=1e-5)
    assert content['provenance']['counts']['joints interpolated'] == 1


def test_options_that_do_not_fit(tool, lab):
    for more, message in (
        (['--val-cameras', '1'], 'the camera of .* is not known'),
        (['--classes', 'turn'], "ada_1.csv: label 'bend' of 'bend/ada_1' is none"),
        (['--classes', 'turn', 'turn'], '--classes names a class twice'),
    ):
        with pytest.raises(SystemExit, match=f'error: .*{message}'):
            run(tool, lab, *more)
    assert not (lab / 'out/lab.pkl').exists()


def test_there_and_back_to_the_authors_arrays(tool, load_tool, tmp_path):
    export = load_tool('data/export_mamp_npz.py')
    rng, made = np.random.default_rng(0), {}
    for part, size in dict(train=3, test=2).items():
        made[f'x_{part}'] = np.zeros((size, 8, 150), np.float32)
        made[f'x_{part}'][:, :4, :75] = rng.uniform(-2, 2, (size, 4, 75))
        made[f'y_{part}'] = np.eye(60)[[0, 3, 59][:size]]
    src, ours, back = (str(tmp_path / n) for n in ('NTU60_XView.npz', 'a.npz', 'b_NTU60_XView.npz'))
    np.savez(src, **made)
    tool.main([src, ours, '--reader', 'mamp-npz'])
    export.main([ours, back, '--frames', '8'])
    with np.load(back, allow_pickle=False) as file:
        for key, value in made.items():
            np.testing.assert_array_equal(file[key], value)
    export.main([ours, back, '--frames', '8', '--center', '1'])
    moved, expected = (
        x[:, :4, :75].reshape(3, 4, 25, 3) for x in (np.load(back)['x_train'], made['x_train'])
    )
    np.testing.assert_allclose(moved, expected - expected[:, :1, 1:2], atol=1e-6)
    for args, message in (
        (['a.pkl', 'x.pkl'], r'x\.pkl: does not end in \.npz'),
        (['a.pkl', 'my_XSub.npz'], r'my_XSub\.npz: .*--num-classes'),
        ([ours, 'NTU60_XSub.npz'], "split='xsub_train'"),
    ):
        with pytest.raises(SystemExit, match=f'error: .*{message}'):
            export.main(args)


@pytest.mark.slow
def test_an_interrupted_run_goes_on(repo_root, tool, tmp_path, capsys):
    rows = np.random.default_rng(0).normal(0, 1000, (15 * 200, 3))
    names = [f'a01_s{s:02}_e{e:02}' for s in range(1, 11) for e in range(40)]
    (tmp_path / 'src').mkdir()
    for name in names:
        np.savetxt(tmp_path / f'src/{name}_realworld.txt', rows, '%.3f')
    arguments = [str(tmp_path / 'src'), str(tmp_path / 'out/a.pkl'), '--reader', 'kard']
    running = subprocess.Popen(
        [sys.executable, repo_root / 'tools/data/convert.py', *arguments, '--workers', '2'],
        env=dict(os.environ, PYTHONPATH=str(repo_root), OMP_NUM_THREADS='1'),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell that runs the tests in the background ignores Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    folder, deadline = tmp_path / 'out/a.pkl.unfinished', time.monotonic() + 60
    while not (folder.exists() and len(os.listdir(folder)) > 3):
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.01)
    for _ in range(3):  # as Ctrl-C does, and again
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.02)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130 and 'to go on' in stderr and 'Traceback' not in stderr
    done = 32 * len([name for name in os.listdir(folder) if name.endswith('.pkl')])
    assert len(names) > done > 64
    tool.main(arguments)
    assert f'{done} recordings were converted by an earlier' in capsys.readouterr().out
    assert [clip['frame_dir'] for clip in load_annotations(arguments[1])[0]] == names
    assert os.listdir(tmp_path / 'out') == ['a.pkl']
