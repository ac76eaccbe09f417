"""SkeletonDataset(labels=…) and SkeletonDataset(subset=…): some clips of a split."""

import pytest
from mmaction.registry import DATASETS

from stars_mm.datasets.clip_selection import select_subset

NTU = 'S001C002P{:03d}R002A{:03d}'


@pytest.fixture
def dataset(clips, write):
    """Six clips of classes 0, 1, 2, 0, 1, 2; by name A007, A008, A009, …."""
    for number, clip in enumerate(clips):
        clip['frame_dir'] = NTU.format(number, 7 + clip['label'])
    names = [clip['frame_dir'] for clip in clips]
    ann_file = write(clips, train=names, few=names[:2])

    def _dataset(**options):
        cfg = dict(type='SkeletonDataset', pipeline=[], split='train', num_classes=3)
        return DATASETS.build(dict(cfg, ann_file=ann_file, **options))

    return _dataset


@pytest.mark.parametrize(
    'labels, kept',
    [
        ([1], [1, 4]),
        ((2, 0), [0, 2, 3, 5]),
        (['A008'], [1, 4]),
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


@pytest.mark.parametrize(
    'labels, message',
    [
        (
            [1, 3],
            r"1 of 2 have no clip in split 'train' of .*ann\.pkl, such as 3. "
            r"Its classes are 0, 1, 2, .* names like 'S001C002P000R002A007'",
        ),
        (['A00'], "have no clip .* such as 'A00'"),
        (['A0080'], "have no clip .* such as 'A0080'"),
        (['006R'], 'have no clip'),
        ([], r'labels=\[\]: give a list'),
        ('A008', "labels='A008': give a list"),
        (5, 'labels=5: give a list'),
        ([1, 2, 1], 'labels: 1 is listed twice'),
        ([1.5], 'labels: 1.5 is neither'),
        ([True], 'labels: True is neither'),
    ],
)
def test_labels_that_cannot_be(dataset, labels, message):
    with pytest.raises(ValueError, match=message):
        dataset(labels=labels)


def test_label_that_another_split_has_and_several_a_clip(dataset):
    with pytest.raises(ValueError, match="split 'few' .* classes are 0, 1,"):
        dataset(labels=[2], split='few')
    with pytest.raises(ValueError, match=r'labels=\[0\] beside multi_class'):
        dataset(labels=[0], multi_class=True)


def test_the_clips_that_an_index_file_names(write, clips, tmp_path):
    path = tmp_path / 'names.txt'
    path.write_text('# two clips\n\nclip3\n  clip0\n')
    clips[1]['keypoint'] = None  # not in the subset: of no account
    kwargs = dict(type='SkeletonDataset', ann_file=write(clips), pipeline=[], split='train')
    for place in (dict(subset=str(path)), dict(subset='names.txt', data_root=str(tmp_path))):
        dataset = DATASETS.build(dict(kwargs, **place))
        assert [clip['frame_dir'] for clip in dataset] == ['clip0', 'clip3']
    path.write_text('clip0\ngone\n')
    chosen, missing = select_subset(clips, ['gone', 'other'], str(path), 'split')
    assert [clip['frame_dir'] for clip in chosen] == ['clip0'] and missing == ['gone']


@pytest.mark.parametrize(
    'text, message',
    [
        (
            'clip3\nclip4\nclip9\n',
            "names 2 clips that split 'train' of .*ann.pkl does not have, such as 'clip4'",
        ),
        ('# none\n\n', 'names no clip.*draw_subset.py'),
        ('clip1\nclip1\n', "names 'clip1' twice"),
        (b'\xff\xfe\x00', 'is no text file'),
        (None, 'no such file.*draw_subset.py ANN SPLIT'),
    ],
)
def test_faulty_index_files(write, clips, tmp_path, text, message):
    path = tmp_path / 'names.txt'
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    cfg = dict(type='SkeletonDataset', ann_file=write(clips), pipeline=[], split='train')
    with pytest.raises((ValueError, FileNotFoundError), match=f'names.txt.*{message}'):
        DATASETS.build(dict(cfg, subset=str(path)))
