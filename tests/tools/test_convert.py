"""tools/data/convert.py on made-up recordings."""

import errno
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from stars_mm.datasets import load_annotations
from stars_mm.preparation.layouts import get_layout
from stars_mm.utils.safe_pickle import load_pickle

JOINTS = ['hip', 'left_hand', 'right_hand']
LAYOUT = dict(
    name='stick',
    joints=JOINTS,
    parents=[None, 'hip', 'hip'],
    center='hip',
    pairs=[['left_hand', 'right_hand']],
    unit='mm',
)


@pytest.fixture(scope='module')
def tool(repo_root):
    spec = importlib.util.spec_from_file_location('convert', repo_root / 'tools/data/convert.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def values(number, columns=9):
    rng = np.random.default_rng(number)
    return rng.normal(1000, 300, (5 + number, columns)).round(2)


@pytest.fixture
def lab(tmp_path):
    """Two classes, three subjects, a take each; ``stick.json`` beside."""
    (tmp_path / 'stick.json').write_text(json.dumps(LAYOUT))
    number = 0
    for label in ('turn', 'bend'):
        for subject in ('ada', 'bob', 'cyd'):
            path = tmp_path / 'lab' / label / f'{subject}_1.csv'
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savetxt(path, values(number), fmt='%.2f', delimiter=',')
            number += 1
    return tmp_path


def arguments(lab, *more):
    return [
        str(lab / 'lab'),
        str(lab / 'out' / 'lab.pkl'),
        '--layout',
        str(lab / 'stick.json'),
        '--pattern',
        '{label}/{subject}_{take}',
        *map(str, more),
    ]


def run(tool, lab, *more):
    tool.main(arguments(lab, *more))
    path = str(lab / 'out' / 'lab.pkl')
    assert os.listdir(lab / 'out') == ['lab.pkl']
    return load_pickle(path)


def test_convert(tool, lab, capsys):
    content = run(tool, lab, '--val-subjects', 'bob')
    clips, splits = load_annotations(str(lab / 'out/lab.pkl'))
    assert splits == dict(
        xsub_train=['bend/ada_1', 'bend/cyd_1', 'turn/ada_1', 'turn/cyd_1'],
        xsub_val=['bend/bob_1', 'turn/bob_1'],
    )
    found = {clip['frame_dir']: clip for clip in clips}
    numbers = dict(
        zip(
            ['turn/ada_1', 'turn/bob_1', 'turn/cyd_1', 'bend/ada_1', 'bend/bob_1', 'bend/cyd_1'],
            range(6),
        )
    )
    assert list(found) == sorted(numbers)
    for name, number in numbers.items():
        clip = found[name]
        metres = values(number).reshape(1, 5 + number, 3, 3) / 1000
        assert clip['keypoint'].dtype == np.float32
        np.testing.assert_allclose(clip['keypoint'], metres, rtol=1e-6)
        assert clip['total_frames'] == 5 + number
        assert clip['label'] == name.startswith('turn')
        assert clip['subject'] == name[5:8]
        assert 'keypoint_score' not in clip
    assert content['class_names'] == ['bend', 'turn']
    assert content['layout'] == 'stick'
    assert get_layout(content['skeleton']) == get_layout(dict(LAYOUT, unit='m'))
    provenance = content['provenance']
    assert provenance['source'] == 'lab' and provenance['reader'] == 'folder'
    assert provenance['options']['split']['val_subjects'] == ['bob']
    assert len(provenance['sha256']) == 64
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert ['class', 'xsub_train', 'xsub_val'] in rows
    assert ['bend', '2', '1'] in rows and ['all', '4', '2'] in rows
    assert 'frames: 5 to 10 a clip, 7.5 on average, 45 in all' in printed
    assert 'dropped: 0 clips' in printed


def test_an_npz_holds_the_same(tool, lab):
    run(tool, lab)
    args = arguments(lab)
    args[1] = str(lab / 'lab.npz')
    tool.main(args)
    extra, other_extra = {}, {}
    clips, splits = load_annotations(args[1], extra)
    others, other_splits = load_annotations(str(lab / 'out/lab.pkl'), other_extra)
    assert splits == other_splits
    for clip, other in zip(clips, others):
        assert clip.keys() == other.keys()
        for key, value in clip.items():
            np.testing.assert_array_equal(value, other[key])
    assert extra.keys() == other_extra.keys()
    assert extra['class_names'] == other_extra['class_names']


def test_the_same_again(tool, lab):
    first = run(tool, lab)
    second = run(tool, lab)
    assert first['provenance'] == second['provenance']
    assert first['split'] == second['split']
    path = lab / 'lab/turn/ada_1.csv'
    path.write_text(path.read_text().replace('1', '2', 1))
    third = run(tool, lab)
    assert third['provenance']['sha256'] != first['provenance']['sha256']


def test_index_classes_and_units(tool, lab, capsys):
    (lab / 'index.csv').write_text(
        'name,label,subject,split\nturn/ada_1,10,a,test\n'
        'turn/bob_1,9,b,train\nbend/cyd_1,2,c,train\n'
    )
    content = run(tool, lab, '--index', lab / 'index.csv', '--unit', 'cm', '--up', 'z')
    assert content['class_names'] == ['2', '9', '10']
    assert content['split'] == dict(train=['bend/cyd_1', 'turn/bob_1'], test=['turn/ada_1'])
    clip = content['annotations'][1]
    assert clip['frame_dir'] == 'turn/ada_1' and clip['label'] == 2
    x, y, z = np.moveaxis(values(0).reshape(1, 5, 3, 3) / 100, -1, 0)
    np.testing.assert_allclose(clip['keypoint'], np.stack([x, z, -y], -1), rtol=1e-6)
    assert "note: test has no clip of '2'" in capsys.readouterr().out
    content = run(tool, lab, '--index', lab / 'index.csv', '--classes', '10', '2', '9', '5')
    assert content['class_names'] == ['10', '2', '9', '5']
    assert content['annotations'][1]['label'] == 0
    (lab / 'classes.txt').write_text('turn\nbend\n')
    content = run(tool, lab, '--classes', lab / 'classes.txt')
    assert content['class_names'] == ['turn', 'bend']


@pytest.mark.parametrize('scores', [True, False])
def test_pixels_with_scores(tool, lab, scores):
    (lab / 'stick.json').write_text(json.dumps(dict(LAYOUT, unit='px')))
    content = run(tool, lab, *[] if scores else ['--no-scores'])
    clip = content['annotations'][3]
    assert clip['frame_dir'] == 'turn/ada_1'
    expected = values(0).reshape(1, 5, 3, 3).astype('f4')
    np.testing.assert_array_equal(clip['keypoint'], expected[..., :2])
    if scores:
        np.testing.assert_array_equal(clip['keypoint_score'], expected[..., 2])
    assert ('keypoint_score' in clip) == scores


def test_a_reader_of_ones_own(tool, lab):
    (lab / 'my_reader.py').write_text(
        'import numpy as np\n'
        'def read(src, count=4):\n'
        '    for n in range(int(count)):\n'
        "        yield dict(name=f'clip{n}', label=n % 2, subject=n,\n"
        '                   keypoints=np.full((2, 6, 3, 2), n + 1.))\n'
    )
    reader = f'{lab / "my_reader.py"}:read'
    path = str(lab / 'out.pkl')
    tool.main(
        [
            str(lab),
            path,
            '--layout',
            str(lab / 'stick.json'),
            '--reader',
            reader,
            '--reader-options',
            'count=5',
            '--unit',
            'px',
        ]
    )
    content = load_pickle(path)
    assert [clip['label'] for clip in content['annotations']] == [0, 1, 0, 1, 0]
    assert content['annotations'][4]['keypoint'].shape == (2, 6, 3, 2)
    assert content['class_names'] == ['0', '1']
    assert content['skeleton']['unit'] == 'px'
    with pytest.raises(SystemExit, match='--pattern, --index and --channels'):
        tool.main(arguments(lab, '--reader', reader))


def put(lab, text, name='lab/turn/bob_1.csv'):
    (lab / name).write_text(text)


ROWS = '1,2,3,4,5,6,7,8,9\n'
BAD = {
    'cut off': (ROWS + '1,2,3,4', r'line 2 has 4 columns.*cut off'),
    'text': (ROWS + ROWS.replace('5', 'five'), "line 2, column 5: 'five'"),
    'wrong count': ('1,2,3,4\n', 'has 4 columns, no multiple of the 3 joints'),
    'nobody': ('0,0,0,0,0,0,0,0,0\n' * 3, 'shows no body in any frame'),
    'nan': (ROWS + ROWS.replace('4', 'nan'), 'joint left_hand of person 0 is missing in frame 1'),
    'infinite': (ROWS + ROWS.replace('4', 'inf'), 'holds inf'),
    'too large': (ROWS + ROWS.replace('4', '1e300'), r'holds 1e\+297'),
    'empty': ('', 'its first line has one column'),
    'other channels': ('1,2,3,4,5,6\n', r'has 3 joints, 2 coordinates and no scores;.*bend/ad'),
}


@pytest.mark.parametrize('content, message', BAD.values(), ids=BAD)
def test_a_bad_file_is_named(tool, lab, content, message, capsys):
    put(lab, content)
    with pytest.raises(SystemExit, match=(rf'error: .*turn/bob_1\.csv: .*{message}')):
        tool.main(arguments(lab))
    assert not os.listdir(lab / 'out')
    content = run(tool, lab, '--invalid', 'drop')
    assert len(content['annotations']) == 5
    assert sum(content['provenance']['left_out'].values()) == 1
    printed = capsys.readouterr().out
    assert 'dropped: 1 clips\n  turn/bob_1: ' in printed


def test_an_unreadable_file_is_named(tool, lab):
    path = lab / 'lab/turn/bob_1.csv'
    path.unlink()
    path.symlink_to(lab / 'nothing')
    (lab / 'lab/turn/eve_1.npy').write_bytes(b'\x93NUMPY')
    with pytest.raises(SystemExit) as found:
        tool.main(arguments(lab))
    bob, eve = str(found.value).strip().splitlines()
    assert 'bob_1.csv: [Errno 2] No such file' in bob
    assert 'eve_1.npy: is no readable .npy' in eve


def test_all_bad_files_are_listed(tool, lab):
    for subject in ('ada', 'cyd'):
        put(lab, ROWS.replace('9', 'x'), f'lab/bend/{subject}_1.csv')
    with pytest.raises(SystemExit) as found:
        tool.main(arguments(lab))
    lines = str(found.value).strip().splitlines()
    assert len(lines) == 2
    assert 'bend/ada_1.csv' in lines[0] and 'bend/cyd_1.csv' in lines[1]


def test_missing_joints_are_filled(tool, lab, capsys):
    put(lab, ROWS + '1,2,3,,,,7,8,9\n' + ROWS.replace('4,5,6', '8,9,10'))
    content = run(tool, lab, '--missing', 'interpolate')
    clip = {c['frame_dir']: c for c in content['annotations']}['turn/bob_1']
    np.testing.assert_allclose(
        clip['keypoint'][0, :, 1] * 1000, [[4, 5, 6], [6, 7, 8], [8, 9, 10]], rtol=1e-5
    )
    assert content['provenance']['counts']['joints interpolated'] == 1
    assert 'joints interpolated: 1\n' in capsys.readouterr().out


@pytest.mark.parametrize(
    'more, message',
    [
        (['--val-subjects', 'dan'], "no clip is of subject 'dan'.*ada, bob, cyd"),
        (['--val-cameras', '1'], 'the camera of .* is not known'),
        (['--pattern', '{label}/*'], r"csv: the subject of 'bend/ada_1' is not"),
        (['--classes', 'turn'], "ada_1.csv: label 'bend' of 'bend/ada_1' is none"),
        (['--classes', 'turn', 'turn'], '--classes names a class twice'),
        (['--layout', 'coco-17'], r'has 9 columns, no multiple of the 17 joints'),
        (['--layout', 'mpii'], 'layout="mpii" is not known'),
        (['--reader', 'kinect'], "reader 'kinect': choose"),
        (['--reader-options', 'speed=3'], "'speed'.*--reader-options"),
        (['--index', 'none.csv'], '--index none.csv: there is no such file'),
    ],
)
def test_options_that_do_not_fit(tool, lab, more, message):
    with pytest.raises(SystemExit, match=f'error: .*{message}'):
        tool.main(arguments(lab, *more))
    assert not (lab / 'out/lab.pkl').exists()


def test_duplicate_names_of_a_reader(tool, lab):
    (lab / 'twice.py').write_text(
        'import numpy as np\n'
        'def read(src):\n'
        '    for n in range(3):\n'
        "        yield dict(name='a', label=0, subject=n, source=f'take {n}',"
        '\n                   keypoints=np.ones((1, 6, 3, 2)))\n'
    )
    with pytest.raises(SystemExit, match="take 1: 'a' is the name of take 0"):
        tool.main(
            [
                str(lab),
                str(lab / 'a.pkl'),
                '--layout',
                str(lab / 'stick.json'),
                '--reader',
                str(lab / 'twice.py'),
            ]
        )


def test_disk_full_leaves_nothing(tool, lab, monkeypatch):
    def save(file, array, **_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(np, 'save', save)
    for more in ([], ['--invalid', 'drop']):
        with pytest.raises(SystemExit, match='No space left'):
            tool.main(arguments(lab, *more))
        assert not os.listdir(lab / 'out')


def test_an_older_file_stays(tool, lab):
    run(tool, lab)
    before = (lab / 'out/lab.pkl').read_bytes()
    put(lab, 'nothing')
    with pytest.raises(SystemExit):
        tool.main(arguments(lab))
    assert (lab / 'out/lab.pkl').read_bytes() == before


def test_the_command_fails_with_one_line(repo_root, lab):
    done = subprocess.run(
        [
            sys.executable,
            'tools/data/convert.py',
            str(lab / 'none'),
            str(lab / 'a.pkl'),
            '--layout',
            'coco-17',
        ],
        cwd=repo_root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'PYTHONPATH': str(repo_root)},
    )
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert 'error:' in done.stderr and 'none: there is no such folder' in (done.stderr)
