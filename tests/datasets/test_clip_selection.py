"""SkeletonDataset(labels=…) and SkeletonDataset(subset=…): some clips of a split."""

import pytest

from stars_mm.datasets import SkeletonDataset

NTU = 'S001C002P{:03d}R002A{:03d}'


@pytest.fixture
def dataset(clips, write):
    """Six clips of classes 0, 1, 2, 0, 1, 2; by name A007, A008, A009, …."""
    for number, clip in enumerate(clips):
        clip['frame_dir'] = NTU.format(number, 7 + clip['label'])
    names = [clip['frame_dir'] for clip in clips]
    ann_file = write(clips, train=names, few=names[:2])
    return lambda **options: SkeletonDataset(ann_file, [], **dict(dict(split='train'), **options))


@pytest.mark.parametrize(
    'labels, kept',
    [
        ((2, 0), [0, 2, 3, 5]),
        (['A009', 0], [0, 2, 3, 5]),
        (['P003', 'P001'], [1, 3]),
        (None, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_clips_of_some_classes_keep_their_labels(dataset, labels, kept):
    found = dataset(labels=labels)
    clips = [found.get_clip_info(n) for n in range(len(found))]
    assert [int(clip['frame_dir'][9:12]) for clip in clips] == kept
    assert [clip['label'] for clip in clips] == [n % 3 for n in kept]


FEW = r"1 of 2 have no clip in split 'train' of .*ann\.pkl, such as 3. Its classes are 0, 1, 2, .*"


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(labels=[1, 3]), FEW + "names like 'S001C002P000R002A007'"),
        (dict(labels=['A00']), "have no clip .* such as 'A00'"),
        (dict(labels=['A0080']), 'have no clip'),
        (dict(labels=['006R']), 'have no clip'),
        (dict(labels=[2], split='few'), "split 'few' .* classes are 0, 1,"),
        (dict(labels=[]), r'labels=\[\]: give a list'),
        (dict(labels='A008'), "labels='A008': give a list"),
        (dict(labels=5), 'labels=5: give a list'),
        (dict(labels=[1, 2, 1]), 'labels: 1 is listed twice'),
        (dict(labels=[True]), 'labels: True is neither'),
        (dict(labels=[0], multi_class=True, num_classes=3), r'labels=\[0\] beside multi_class'),
    ],
)
def test_labels_that_cannot_be(dataset, options, message):
    with pytest.raises(ValueError, match=message):
        dataset(**options)


def test_the_clips_that_an_index_file_names(write, clips, tmp_path):
    path = tmp_path / 'names.txt'
    path.write_text('# two clips\n\nclip3\n  clip0\n')
    clips[1]['keypoint'] = None  # not in the subset: of no account
    ann_file = write(clips)
    for place in (dict(subset=str(path)), dict(subset='names.txt', data_root=str(tmp_path))):
        dataset = SkeletonDataset(ann_file, [], split='train', **place)
        assert [clip['frame_dir'] for clip in dataset] == ['clip0', 'clip3']


@pytest.mark.parametrize(
    'text, message',
    [
        (b'clip3\nclip4\nclip9\n', "2 clips that split 'train' of .*ann.pkl .* such as 'clip4'"),
        (b'# none\n\n', 'names no clip.*draw_subset.py'),
        (b'clip1\nclip1\n', "names 'clip1' twice"),
        (b'\xff\xfe\x00', 'is no text file'),
        (None, 'no such file.*draw_subset.py ANN SPLIT'),
    ],
)
def test_faulty_index_files(write, clips, tmp_path, text, message):
    path = tmp_path / 'names.txt'
    if text is not None:
        path.write_bytes(text)
    with pytest.raises((ValueError, FileNotFoundError), match=f'names.txt.*{message}'):
        SkeletonDataset(write(clips), [], split='train', subset=str(path))
