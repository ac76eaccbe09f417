"""SkeletonDataset(labels=…): some classes, numbered as before."""

import pytest
from mmaction.registry import DATASETS

NTU = 'S001C002P{:03d}R002A{:03d}'


@pytest.fixture
def dataset(clips, write):
    """Six clips of classes 0, 1, 2, 0, 1, 2; by name A007, A008, A009, …."""
    for number, clip in enumerate(clips):
        clip['frame_dir'] = NTU.format(number, 7 + clip['label'])
    ann_file = write(
        clips,
        train=[clip['frame_dir'] for clip in clips],
        few=[clip['frame_dir'] for clip in clips[:2]],
    )

    def _dataset(labels, **options):
        return DATASETS.build(
            dict(
                type='SkeletonDataset',
                ann_file=ann_file,
                pipeline=[],
                num_classes=3,
                **{'split': 'train', **options},
                labels=labels,
            )
        )

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
    found = dataset(labels)
    clips = [found.get_data_info(n) for n in range(len(found))]
    assert [int(clip['frame_dir'][9:12]) for clip in clips] == kept
    assert [clip['label'] for clip in clips] == [n % 3 for n in kept]


@pytest.mark.parametrize(
    'labels, message',
    [
        (
            [1, 3],
            r"1 of 2 have no clip in split 'train' of .*ann\.pkl, such as 3. "
            r"Its classes are 0–2, .* names like 'S001C002P000R002A007'",
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
        dataset(labels)


def test_label_that_another_split_has(dataset):
    with pytest.raises(ValueError, match="split 'few' .* classes are 0–1,"):
        dataset([2], split='few')


def test_not_beside_several_classes_a_clip(dataset):
    with pytest.raises(ValueError, match=r'labels=\[0\] beside multi_class'):
        dataset([0], multi_class=True)
