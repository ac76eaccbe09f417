"""Recordings of PKU-MMD against the arrays that the authors' program makes."""

import io
import shutil
import zipfile

import numpy as np
import pytest
from mmengine.config import Config

from stars_mm.datasets import SkeletonDataset, load_annotations
from stars_mm.preparation.readers import pku
from stars_mm.preparation.readers.pku import CLASS_NAMES

SPLIT_FILES = {
    1: ('cross-subject.txt', 'cross-view.txt'),
    2: ('cross_subject_v2.txt', 'cross_view_v2.txt'),
}


@pytest.fixture
def convert(tmp_path_factory):
    """Converts, and puts the clips of the file beside the result."""

    def _convert(src, phase, **options):
        dst = tmp_path_factory.mktemp('out') / f'pku{phase}_3d.pkl'
        try:
            result = pku.convert(src, str(dst), phase, **options)
        finally:
            assert {path.name for path in dst.parent.iterdir()} <= {dst.name, f'{dst.name}.parts'}
        assert [path.name for path in dst.parent.iterdir()] == [dst.name]
        result.path = str(dst)
        result.annotations, splits = load_annotations(str(dst))
        assert splits == result.splits
        assert result.clips == {
            clip['frame_dir']: (clip['label'], clip['total_frames']) for clip in result.annotations
        }
        return result

    return _convert


@pytest.mark.parametrize('phase', [1, 2])
def test_copy_is_the_original(phase, data_dir, shared_dir):
    name = f'pku_v{phase}_raw.zip'
    original = shared_dir / 'parity' / name
    assert (data_dir / name).read_bytes() == original.read_bytes()


def expected(path, phase, protocol):
    with zipfile.ZipFile(path) as archive:
        content = archive.read(f'expected/PKUv{phase}_{protocol}.npz')
    return np.load(io.BytesIO(content), allow_pickle=False)


@pytest.mark.parametrize('phase', [1, 2])
@pytest.mark.parametrize('kind', ['zip', 'folder'])
def test_golden(convert, phase, kind, data_dir, tmp_path):
    golden = src = data_dir / f'pku_v{phase}_raw.zip'
    if kind == 'folder':
        with zipfile.ZipFile(golden) as archive:
            archive.extractall(tmp_path)
        src = tmp_path / 'raw'
    result = convert(str(src), phase, workers=1 + (kind == 'folder'))
    clips = {clip['frame_dir']: clip for clip in result.annotations}
    assert len(clips) == len(result.annotations) == 12
    assert not result.dropped and not result.notes
    for protocol in ('XSub', 'XView'):
        arrays = expected(golden, phase, protocol)
        for part, ours in (('train', 'train'), ('test', 'val')):
            names = result.splits[f'{protocol.lower()}_{ours}']
            x, y = arrays[f'x_{part}'], arrays[f'y_{part}']
            assert len(names) == len(x)
            assert [clips[name]['label'] for name in names] == list(y.argmax(1))
            for name, flat in zip(names, x):
                np.testing.assert_array_equal(padded(clips[name]), flat)


def padded(clip):
    """(300, 150): frame by frame, person by person."""
    flat = np.zeros((300, 150), np.float32)
    for person, track in enumerate(clip['keypoint']):
        for number, joints in enumerate(track):
            flat[number, 75 * person : 75 * (person + 1)] = joints.reshape(75)
    return flat


def test_source_and_workers_leave_no_trace(convert, data_dir, tmp_path):
    golden = data_dir / 'pku_v2_raw.zip'
    with zipfile.ZipFile(golden) as archive:
        archive.extractall(tmp_path)
    one = convert(str(golden), 2)
    two = convert(str(tmp_path), 2, workers=2)
    assert one.sha256 == two.sha256
    assert one.splits == two.splits
    for a, b in zip(one.annotations, two.annotations):
        np.testing.assert_array_equal(a.pop('keypoint'), b.pop('keypoint'))
        assert a == b


def test_configs_take_the_file(convert, data_dir, repo_root):
    for phase in (1, 2):
        result = convert(str(data_dir / f'pku_v{phase}_raw.zip'), phase)
        cfg = Config.fromfile(repo_root / f'configs/_base_/datasets/pku{phase}-xsub.py')
        for loader, size in ((cfg.train_dataloader, 9), (cfg.test_dataloader, 3)):
            options = dict(loader.dataset, ann_file=result.path)
            assert options.pop('type') == 'SkeletonDataset'
            data = SkeletonDataset(**options)
            assert len(data) == size
            assert data[0]['inputs'].shape == (1, 2, 120, 25, 3)
    recipe = Config.fromfile(repo_root / 'configs/stars_pku2.py')
    assert recipe.train_dataloader.dataset.ann_file.endswith('pku2_3d.pkl')
    assert len(CLASS_NAMES) == 51


def frames(num_frames, persons=1, seed=0):
    rng = np.random.default_rng(seed)
    table = np.zeros((num_frames, 150))
    table[:, : 75 * persons] = rng.uniform(-2, 2, (num_frames, 75 * persons))
    return table


def text(table):
    return '\n'.join(' '.join(f'{v:.6f}' for v in row) for row in table)


SOUND = {
    'skeleton/0001-L.txt': text(frames(12)),
    'skeleton/0002-M.txt': text(frames(20, 2, 1)),
    'label/0001-L.txt': '1,2,6,2\n51,6,12,1\n',
    'label/0002-M.txt': '7,0,20,2\n',
    'cross-subject.txt': 'Training videos:\n0001-L, \nValidataion videos:\n0002-M\n',
    'cross-view.txt': 'Training ids:\n0002-M\nValidation ids:\n0001-L\n',
}


def make_zip(tmp_path, **changes):
    path = tmp_path / 'pku.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in {**SOUND, **changes}.items():
            if content is not None:
                archive.writestr(f'any/{name}', content)
    return str(path)


def test_clips_are_cut_by_hand(convert, tmp_path):
    result = convert(make_zip(tmp_path), 1)
    names = [clip['frame_dir'] for clip in result.annotations]
    assert names == ['0001-L_000', '0001-L_001', '0002-M_000']
    assert [clip['label'] for clip in result.annotations] == [0, 50, 6]
    assert result.splits == dict(
        xsub_train=names[:2], xsub_val=names[2:], xview_train=names[2:], xview_val=names[:2]
    )
    one, two, three = (clip['keypoint'] for clip in result.annotations)
    assert one.shape == (1, 4, 25, 3) and two.shape == (1, 6, 25, 3)
    assert three.shape == (2, 20, 25, 3) and three.dtype == np.float32
    np.testing.assert_allclose(two[0, 1, 24], frames(12)[7, 72:75], atol=1e-6)
    np.testing.assert_allclose(three[1, 3, 2], frames(20, 2, 1)[3, 81:84], atol=1e-6)


def test_what_is_left_out_is_said(convert, tmp_path):
    table = frames(400)
    table[10:20] = 0
    changes = {
        'skeleton/0001-L.txt': text(table),
        'label/0001-L.txt': '1,10,20,2\n2,30,340,2\n3,350,420,2\n4,401,410,2',
        'label/0009-R.txt': '1,2,6,2',
        'cross-subject.txt': 'Training ids:\n0001-L,0007-M\nValidation ids:\n0008-M',
    }
    result = convert(make_zip(tmp_path, **changes), 1, outside='cut')
    assert result.dropped == {
        '0001-L_000': 'zero throughout',
        '0001-L_003': 'the label names frames past the end',
    }
    sizes = [clip['total_frames'] for clip in result.annotations]
    assert sizes == [300, 50, 20]
    assert +result.counts == {'cut to 300 frames': 1, 'ends with its recording': 1}
    assert result.splits['xsub_train'] == ['0001-L_001', '0001-L_002']
    notes = '\n'.join(result.notes)
    assert '1 label files have no skeletons, such as any/label/0009-R' in notes
    assert 'names 2 recordings that are not here, such as 0007-M' in notes
    assert 'does not name 1 recordings, such as 0002-M: taken into xsub' in (notes)
    whole = convert(make_zip(tmp_path, **changes), 1, outside='cut', max_frames=0)
    assert whole.annotations[0]['total_frames'] == 310


def with_value(value):
    rows = text(frames(12)).splitlines()
    rows[4] = ' '.join([value] + rows[4].split()[1:])
    return '\n'.join(rows)


S, L, X = 'skeleton/0001-L.txt', 'label/0001-L.txt', 'cross-subject.txt'
BAD = {
    'cut off': (S, text(frames(12))[:-40], 'line 12: has 14. numbers.*150'),
    'one joint less': (S, text(frames(12)[:, :147]), 'line 1: has 147'),
    'text': (S, with_value('x1'), "line 5: holds 'x1' where a number"),
    'bytes': (S, with_value('\xff'), r"line 5: holds '\\xc3\\xbf' where"),
    'nan': (S, with_value('nan'), "line 5: holds 'nan', which is no finite"),
    'large': (S, with_value('1e60'), "line 5: holds '1e60', which is no"),
    'no frames': (S, '\n', 'holds no frames'),
    'outside': (L, '1,2,6,2\n2,6,13,2', 'line 2: frames 6 to 13 go past .* 12.*--outside cut'),
    'no length': (L, '1,6,6,2', 'line 1: frames 6 to 6 are none'),
    'negative': (L, '1,-1,6,2', 'line 1: frames -1 to 6 are none'),
    'class': (L, '\n52,2,6,2', 'line 2: class 52 is not .* 1 to 51'),
    'class 0': (L, '0,2,6,2', 'line 1: class 0 is not in PKU-MMD'),
    'words': (L, '1,two,6,2', "line 1: holds 'two' where a whole number"),
    'fraction': (L, '1,2.5,6,2', "line 1: holds '2.5' where a whole"),
    'count': (L, '1,2,6', 'line 1: has 3 numbers; class, start, end'),
    'no rows': (L, '', 'holds no label row'),
    'label bytes': (L, b'\xff\xfe', 'is no text'),
    'no heading': (X, '0001-L', 'line 1: names come before the heading'),
    'heading': (X, 'Names:\n0001-L', "line 1: 'Names:' is no heading"),
    'no training': (
        X,
        'Training ids:\nValidation ids:\n0001-L',
        "names nothing after 'Training ids:'",
    ),
    'both': (
        X,
        'Training ids:\n0001-L\nValidation ids:\n0001-L',
        "line 4: '0001-L' is to train and to validate",
    ),
    'other phase': (
        X,
        'Training ids:\nA01N01-L\nValidation ids:\nA01N02-L',
        'leaves no recording for training',
    ),
    'all train': (
        X,
        'Training ids:\n0001-L,0002-M\nValidation ids:\nx',
        'leaves no recording for validation',
    ),
}


@pytest.mark.parametrize('name, content, message', BAD.values(), ids=BAD)
def test_bad_input_is_named(convert, tmp_path, name, content, message):
    src = make_zip(tmp_path, **{name: content})
    with pytest.raises(ValueError, match=rf"pku\.zip: 'any/{name}': .*{message}"):
        convert(src, 1)


def test_an_error_comes_out_of_a_worker(convert, tmp_path):
    src = make_zip(tmp_path, **{L: '1,2,6'})
    with pytest.raises(ValueError, match="0001-L.txt': line 1: has 3 numbers"):
        convert(src, 1, workers=2)


def test_missing_files_are_named(convert, tmp_path):
    for name, message in (
        (
            'cross-view.txt',
            r"no split file 'cross-view\.txt' \(phase 1, "
            r'xview\)\. It has any/cross-subject\.txt',
        ),
        (L, r"'any/skeleton/0001-L\.txt' has no label file 0001-L\.txt"),
    ):
        with pytest.raises(ValueError, match=message):
            convert(make_zip(tmp_path, **{name: None}), 1)
    with pytest.raises(ValueError, match=r"'cross_subject_v2\.txt' \(phase 2"):
        convert(make_zip(tmp_path), 2)
    nothing = dict.fromkeys(SOUND)
    with pytest.raises(ValueError, match=r'pku\.zip: holds no \.txt'):
        convert(make_zip(tmp_path, **nothing), 1)
    labels = {name: None for name in SOUND if 'skeleton' in name}
    with pytest.raises(ValueError, match="no .txt in a folder 'skeleton'"):
        convert(make_zip(tmp_path, **labels), 1)
    with pytest.raises(ValueError, match='have one name. Remove one'):
        convert(make_zip(tmp_path, **{'b/skeleton/0001-L.txt': ''}), 1)


def test_sources_that_do_not_fit(convert, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.zip: there is no'):
        convert(str(tmp_path / 'none.zip'), 1)
    broken = tmp_path / 'broken.zip'
    broken.write_bytes(b'PK')
    with pytest.raises(ValueError, match='neither a folder nor a readable'):
        convert(str(broken), 1)
    spoilt = make_zip(tmp_path)
    content = bytearray(open(spoilt, 'rb').read())
    content[content.index(b'0001-L.txt') + 30] ^= 1  # within the first row
    open(spoilt, 'wb').write(content)
    with pytest.raises(ValueError, match='0001-L.*cannot be unpacked'):
        convert(spoilt, 1)


def test_an_unreadable_file_is_named(convert, tmp_path):
    with zipfile.ZipFile(make_zip(tmp_path)) as archive:
        archive.extractall(tmp_path)
    path = tmp_path / 'any' / L
    path.unlink()
    path.mkdir()  # reading it fails even for root
    with pytest.raises(ValueError, match="label/0001-L.txt': .*directory"):
        convert(str(tmp_path / 'any'), 1)
    shutil.rmtree(path)
    with pytest.raises(ValueError, match='has no label file'):
        convert(str(tmp_path / 'any'), 1)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(phase=3), 'phase=3: choose 1 or 2'),
        (dict(phase=1, max_frames=-1), 'max_frames=-1'),
        (dict(phase=1, outside='drop'), "outside='drop': choose"),
        (dict(phase=1, workers=0), 'workers=0'),
    ],
)
def test_arguments(convert, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        convert(make_zip(tmp_path), **options)


def test_goes_on_after_an_error(tmp_path):
    dst = tmp_path / 'out' / 'pku.pkl'
    src = make_zip(tmp_path, **{L: '1,2,6'})
    with pytest.raises(ValueError, match='line 1: has 3 numbers'):
        pku.convert(src, str(dst), 1)
    assert [path.name for path in dst.parent.iterdir()] == ['pku.pkl.parts']
    result = pku.convert(make_zip(tmp_path), str(dst), 1)
    assert result.before == 1 and len(result.clips) == 3
    assert [path.name for path in dst.parent.iterdir()] == ['pku.pkl']
    again = pku.convert(make_zip(tmp_path), str(tmp_path / 'again.pkl'), 1)
    assert again.before == 0 and again.sha256 == result.sha256
    assert (tmp_path / 'again.pkl').read_bytes() == dst.read_bytes()
