"""tools/data/convert_ntu.py on made-up recordings."""

import os
import resource
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from stars_mm.datasets import load_annotations
from stars_mm.preparation import parts
from stars_mm.preparation.flat_arrays import read_annotation_npz
from stars_mm.preparation.readers import ntu as converter
from stars_mm.preparation.readers import ntu_source
from stars_mm.preparation.readers.ntu import convert
from stars_mm.utils.safe_pickle import load_pickle

NAMES = (
    'S001C001P001R001A001',
    'S001C001P001R001A002',
    'S001C001P003R001A001',
    'S001C002P001R001A001',
    'S002C003P003R002A060',
)
#: On the list of those without a skeleton.
MISSING = 'S001C002P005R002A008'


def text(value=0.5, num_frames=2):
    point = ' '.join([str(value)] + ['0.25'] * 11)
    frame = ['1', '7' + ' 0' * 9, '25'] + [point] * 25
    return '\n'.join([str(num_frames)] + frame * num_frames)


def make_folder(folder, names=NAMES, inner=''):
    (folder / inner).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        (folder / inner / f'{name}.skeleton').write_text(text(number + 1, num_frames=number + 2))
    return folder


def make_zip(path, names=NAMES):
    with zipfile.ZipFile(path, 'w') as archive:
        for number, name in enumerate(names):
            archive.writestr(
                f'nturgb+d_skeletons/{name}.skeleton', text(number + 1, num_frames=number + 2)
            )
        archive.writestr(f'__MACOSX/._{NAMES[0]}.skeleton', b'\0')
        archive.writestr('readme.txt', 'not a recording')
    return path


def command(repo_root, *args):
    env = dict(os.environ, PYTHONPATH=str(repo_root), OMP_NUM_THREADS='1')
    return dict(
        args=[
            sys.executable,
            '-W',
            'ignore',
            str(repo_root / 'tools/data/convert_ntu.py'),
            *map(str, args),
        ],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize('kind', ['folder', 'zip', 'folder of zips'])
def test_convert(tmp_path, kind):
    src, dst = tmp_path / 'src', tmp_path / 'out' / 'ntu60.pkl'
    if kind == 'folder':
        make_folder(src, inner='nturgb+d_skeletons')
    else:
        src.mkdir()
        zipped = make_zip(src / 'a.zip')
        src = src if kind == 'folder of zips' else zipped
    result = convert(str(src), str(dst), 60)
    clips, splits = load_annotations(str(dst))
    assert os.listdir(dst.parent) == ['ntu60.pkl']
    assert (
        splits
        == result.splits
        == dict(
            xsub_train=[NAMES[0], NAMES[1], NAMES[3]],
            xsub_val=[NAMES[2], NAMES[4]],
            xview_train=[NAMES[3], NAMES[4]],
            xview_val=[NAMES[0], NAMES[1], NAMES[2]],
        )
    )
    assert [clip['frame_dir'] for clip in clips] == list(NAMES)
    assert [clip['label'] for clip in clips] == [0, 1, 0, 0, 59]
    for number, clip in enumerate(clips):
        assert set(clip) == {'frame_dir', 'label', 'keypoint', 'total_frames'}
        assert clip['keypoint'].shape == (1, number + 2, 25, 3)
        assert clip['keypoint'].dtype == np.float32
        assert clip['total_frames'] == number + 2
        assert (clip['keypoint'][..., 0] == number + 1).all()
    provenance = load_pickle(str(dst))['provenance']
    assert provenance['source'] == src.name
    assert provenance['recordings'] == 5 and len(provenance['sha256']) == 64


def test_processes_give_the_same_file(tmp_path):
    src = make_folder(tmp_path / 'src')
    convert(str(src), str(tmp_path / 'one.pkl'), 60, workers=1)
    convert(str(src), str(tmp_path / 'two.pkl'), 60, workers=2)
    one, two = ((tmp_path / f'{n}.pkl').read_bytes() for n in ('one', 'two'))
    assert one == two


def test_an_npz_holds_the_same(tmp_path):
    src = make_folder(tmp_path / 'src')
    for suffix in ('pkl', 'npz'):
        convert(str(src), str(tmp_path / f'a.{suffix}'), 60)
    content = load_pickle(str(tmp_path / 'a.pkl'))
    clips, splits, extra = read_annotation_npz(tmp_path / 'a.npz')
    assert splits == content['split']
    assert extra == dict(provenance=content['provenance'])
    for clip, other in zip(clips, content['annotations']):
        np.testing.assert_array_equal(clip.pop('keypoint'), other.pop('keypoint'))
        assert clip == other


def test_the_command_says_what_it_did(repo_root, tmp_path):
    later = 'S018C001P041R001A061'
    src = make_folder(tmp_path / 'src', NAMES + (MISSING, later))
    done = subprocess.run(**command(repo_root, src, tmp_path / 'a.pkl', '--dataset', 60))
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ['A001', '2', '1', '1', '2'] in rows
    assert ['all', '3', '2', '2', '3'] in rows
    assert 'clips: 5 of the 56578 that NTU-60 has' in done.stdout
    assert 'frames: 2 to 6 a clip, 4.0 on average, 20 in all' in done.stdout
    assert 'left out: 1 on the list of missing skeletons' in done.stdout
    assert 'left out: 1 of NTU-120 alone (set-up S018' in done.stdout


def test_120(tmp_path):
    names = ('S018C001P041R001A061', 'S019C001P103R001A120')
    dst = str(tmp_path / 'a.pkl')
    convert(str(make_folder(tmp_path / 'src', names)), dst, 120)
    assert load_annotations(dst)[1] == dict(
        xsub_train=[names[1]],
        xsub_val=[names[0]],
        xset_train=[names[0]],
        xset_val=[names[1]],
        novel_train=[names[1]],
        novel_val=[names[0]],
    )


def test_bad_recordings_are_all_named(tmp_path):
    src, dst = make_folder(tmp_path / 'src'), tmp_path / 'out' / 'a.pkl'
    (src / f'{NAMES[0]}.skeleton').write_text(text()[:-9])
    (src / f'{NAMES[2]}.skeleton').write_text('3\n0\n0\n0\n')
    with pytest.raises(ValueError) as error:
        convert(str(src), str(dst), 60)
    first, second = str(error.value).splitlines()
    assert f'{NAMES[0]}.skeleton: line 57: has ' in first
    assert f'{NAMES[2]}.skeleton: line 1: none of its 3 frames' in second
    assert not dst.exists()
    # Mended, it goes on from the three that were in order.
    make_folder(src, NAMES[:3])
    assert convert(str(src), str(dst), 60).before == 2
    assert os.listdir(dst.parent) == ['a.pkl']


def test_a_changed_recording_is_converted_again(tmp_path, monkeypatch):
    src, dst = make_folder(tmp_path / 'src'), tmp_path / 'a.pkl'

    def fail(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(converter, 'save_annotations', fail)
        with pytest.raises(KeyboardInterrupt):
            convert(str(src), str(dst), 60)
    assert len(os.listdir(f'{dst}.parts')) == 4
    (src / f'{NAMES[4]}.skeleton').write_text(text(99, num_frames=3))
    assert convert(str(src), str(dst), 60).before == 4
    clip = load_annotations(str(dst))[0][4]
    assert clip['total_frames'] == 3 and clip['keypoint'][0, 0, 0, 0] == 99


def test_an_interrupted_run_goes_on(repo_root, tmp_path):
    names = [
        f'S{s:03}C{c:03}P{p:03}R009A001'
        for s in range(1, 18)
        for c in range(1, 4)
        for p in range(1, 5)
    ]
    src = tmp_path / 'src'
    src.mkdir()
    for name in names:
        (src / f'{name}.skeleton').write_text(text(num_frames=150))
    dst = tmp_path / 'out' / 'a.pkl'
    arguments = command(repo_root, src, dst, '--dataset', 60, '--workers', 2)
    running = subprocess.Popen(
        **arguments,
        start_new_session=True,
        # a shell that runs the tests in the background ignores Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    folder = dst.parent / 'a.pkl.parts'
    deadline = time.monotonic() + 60
    while not (folder.exists() and len(os.listdir(folder)) > 3):
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)  # as Ctrl-C does
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130 and 'to go on' in stderr
    assert 'Traceback' not in stderr
    assert not dst.exists()
    done = [name for name in os.listdir(folder) if name.endswith('.pkl')]
    assert len(names) > len(done) > 3
    assert convert(str(src), str(dst), 60).before == len(done)
    clips = load_annotations(str(dst))[0]
    assert [clip['frame_dir'] for clip in clips] == names
    assert {clip['total_frames'] for clip in clips} == {150}
    assert os.listdir(dst.parent) == ['a.pkl']


@pytest.mark.parametrize('limit', [300, 5000])
def test_a_full_disk_leaves_nothing(repo_root, tmp_path, limit):
    """300 bytes stop the first part, 5000 the annotation file."""
    src, dst = make_folder(tmp_path / 'src'), tmp_path / 'out' / 'a.pkl'
    done = subprocess.run(
        **command(repo_root, src, dst, '--dataset', 60, '--workers', 2),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    assert 'error: [Errno 27] File too large' in done.stderr
    assert os.listdir(dst.parent) == []


def test_bad_sources_are_named(tmp_path):
    dst = str(tmp_path / 'a.pkl')
    with pytest.raises(FileNotFoundError, match='nowhere: there is no such'):
        convert(str(tmp_path / 'nowhere'), dst, 60)
    empty = tmp_path / 'empty.zip'
    zipfile.ZipFile(empty, 'w').close()
    with pytest.raises(ValueError, match=r'empty\.zip: holds no \.skeleton'):
        convert(str(empty), dst, 60)
    whole = make_zip(tmp_path / 'whole.zip').read_bytes()
    (tmp_path / 'cut.zip').write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=r'cut\.zip: is no readable zip'):
        convert(str(tmp_path / 'cut.zip'), dst, 60)
    with pytest.raises(ValueError, match=r'a\.h5: an annotation file ends'):
        convert(str(tmp_path / 'whole.zip'), str(tmp_path / 'a.h5'), 60)
    with pytest.raises(ValueError, match='dataset=61'):
        convert(str(tmp_path / 'whole.zip'), dst, 61)
    with pytest.raises(ValueError, match='workers=0'):
        convert(str(tmp_path / 'whole.zip'), dst, 60, workers=0)
    assert not os.path.exists(dst) and not os.path.exists(f'{dst}.parts')


def test_a_damaged_member_is_named(tmp_path):
    path = make_zip(tmp_path / 'a.zip')
    content = path.read_bytes()
    path.write_bytes(content.replace(b'\n1 0.25', b'\n3 0.25', 1))
    with pytest.raises(ValueError, match=f'a.zip: .*{NAMES[0]}.skeleton: cannot be unp'):
        convert(str(path), str(tmp_path / 'a.pkl'), 60)


@pytest.mark.parametrize(
    'name, message',
    [
        ('S001C001P041R001A001', "P041R001A001.skeleton: subject 'P041' is not"),
        ('S001C001P001R001A061', "A061.skeleton: action 'A061' is not in NTU-60"),
        ('S001C001P001', 'S001C001P001.skeleton: is not named'),
    ],
)
def test_other_names_are_refused(tmp_path, name, message):
    src = make_folder(tmp_path / 'src', NAMES + (name,))
    with pytest.raises(ValueError, match=message):
        convert(str(src), str(tmp_path / 'a.pkl'), 60)


def test_one_name_twice(tmp_path):
    src = make_folder(tmp_path / 'src')
    make_folder(src, NAMES[1:2], inner='more')
    with pytest.raises(ValueError, match=f'more.{NAMES[1]}.skeleton.*one name'):
        convert(str(src), str(tmp_path / 'a.pkl'), 60)


def test_nothing_left(tmp_path):
    src = make_folder(tmp_path / 'src', (MISSING,))
    with pytest.raises(ValueError, match='NTU-60 is left: 1 on the list'):
        convert(str(src), str(tmp_path / 'a.pkl'), 60)


def test_an_unreadable_file_is_named(tmp_path):
    src = make_folder(tmp_path / 'src')
    path = src / f'{NAMES[1]}.skeleton'
    entry = ntu_source.find_recordings(str(src))[1]
    path.unlink()
    path.mkdir()  # that root, too, cannot read
    with pytest.raises(ValueError, match=f'{NAMES[1]}.*cannot be read'):
        converter._convert_one(entry)


def _end(_):
    os._exit(1)


def test_a_worker_that_is_ended_is_said(tmp_path):
    todo = parts.plan([[1], [2]], _end, '', str(tmp_path))
    with pytest.raises(RuntimeError, match='ended from outside'):
        parts.convert_parts(todo, workers=2)
