"""SkeletonDataset: what it gives, and what it refuses."""

import pickle

import numpy as np
import pytest
from mmaction.registry import DATASETS

from stars_mm.datasets import SkeletonDataset, UnionDataset, collate_clips, save_annotations
from stars_mm.engine.features import UNLABELED, ClipList


@pytest.mark.parametrize('poses_2d', [False, True])
def test_equal_to_pose_dataset(write, clips, poses_2d):
    """As in files of 2D poses, too, where clips are chosen by their boxes."""
    rng = np.random.default_rng(0)
    for number, clip in enumerate(clips if poses_2d else ()):
        M, T, V, _ = clip['keypoint'].shape
        clip.update(
            keypoint_score=rng.random((M, T, V)).astype(np.float16),
            img_shape=(480, 640),
            box_score=rng.random((M, T)),
            valid={0.5: T if number % 2 else 0},
            other=rng.random(T),
        )
    path = write(clips, all=[clip['frame_dir'] for clip in clips])
    cfg = dict(ann_file=path, pipeline=[], split='all', valid_ratio=0.5 if poses_2d else None)
    ours = DATASETS.build(dict(type='SkeletonDataset', **cfg))
    theirs = DATASETS.build(dict(type='PoseDataset', **cfg))
    assert len(ours) == len(theirs) == (3 if poses_2d else 6)
    assert (ours.num_joints, ours.in_channels, ours.max_persons) == (5, 3 + poses_2d, 2)
    for mine, other in zip(ours, theirs):
        assert mine.keys() == other.keys()
        for key, value in other.items():
            assert type(mine[key]) is type(value)
            np.testing.assert_array_equal(mine[key], value)


@pytest.mark.parametrize('serialize', [True, False])
def test_keeps_what_a_base_dataset_does(write, clips, serialize):
    path = write(clips)
    kwargs = dict(pipeline=[], split='train', serialize_data=serialize)
    for indices, name in ((2, 'clip1'), (-2, 'clip3'), ([3, 0], 'clip0')):
        assert SkeletonDataset(path, indices=indices, **kwargs)[-1]['frame_dir'] == name
    lazy = SkeletonDataset(path, lazy_init=True, **kwargs)
    assert len(SkeletonDataset(path, [])) == 6  # a file's all
    subset = lazy.get_subset([1, 2])
    assert [clip['frame_dir'] for clip in subset] == ['clip1', 'clip2']
    assert subset.num_joints == 5
    assert [lazy[i]['frame_dir'] for i in (-4, 3)] == ['clip0', 'clip3']
    for index in (-5, 4):
        with pytest.raises(IndexError, match=f'clip {index} of 4'):
            lazy[index]
    lazy[1]['keypoint'][:] = 0  # what a transform does stays with that sample
    for other in (lazy, pickle.loads(pickle.dumps(lazy))):  # as in another process
        np.testing.assert_array_equal(other[1]['keypoint'], clips[1]['keypoint'])


def test_names_and_labels_without_the_arrays(write, clips):
    dataset = SkeletonDataset(write(clips), [], split='val', serialize_data=False)
    entries = {'frame_dir', 'label', 'total_frames'}
    assert [set(clip) for clip in dataset.data_list] == [entries | {'_number_in_file'}] * 2
    whole = dataset.get_data_info(1)
    del whole['keypoint']
    assert dataset.get_clip_info(1) == whole and '_number_in_file' not in whole
    dataset.get_data_info = None  # it would copy the arrays
    found = ClipList.from_dataset(dataset)
    assert found.names == ['clip4', 'clip5'] and found.labels == [1, 2]


SPOT = np.zeros((2, 11, 5, 3), bool)
SPOT[0, 3, 2, 1] = True
FAULTS = [
    ('keypoint', lambda k: None, 'keypoint is NoneType'),
    ('keypoint', lambda k: k[:, :0], r'shape \(2, 0, 5, 3\)'),
    ('keypoint', lambda k: k * np.float16(-0.0), 'zero throughout'),
    ('keypoint', lambda k: np.where(SPOT, np.nan, k), r'keypoint\[0, 3, 2, 1\] is nan'),
    ('keypoint', lambda k: np.where(SPOT, -np.inf, k), r'keypoint\[0, 3, 2, 1\] is -inf'),
    ('keypoint', lambda k: np.where(SPOT, np.inf, k).astype('>f4'), r't\[0, 3, 2, 1\] is inf'),
    ('keypoint', lambda k: k[:, :, :4], 'V=4 joints.*3 of the 4 clips have V=5 joints'),
    ('keypoint', lambda k: k[..., :2], 'C=2 .*have.*C=3'),
    ('total_frames', lambda t: 30, 'total_frames is 30'),
    ('keypoint_score', lambda s: np.ones((1, 11, 5)), r'keypoint_score has shape \(1, 11, 5\)'),
    ('keypoint_score', lambda s: np.full((2, 11, 5), np.nan), r'_score\[0, 0, 0\] is nan'),
]


@pytest.mark.parametrize('key, change, message', FAULTS)
def test_a_faulty_clip_is_an_error_or_left_out(write, clips, key, change, message, monkeypatch):
    clips[1][key] = change(clips[1].get(key))
    clips[2]['keypoint'][0, 0, 0, 0] = np.finfo(np.float16).max  # is none
    kwargs = dict(ann_file=write(clips), pipeline=[], serialize_data=False)
    with pytest.raises(ValueError, match=rf"ann\.pkl: clip 'clip1': .*{message}.*drop"):
        SkeletonDataset(split='train', **kwargs)
    assert len(SkeletonDataset(split='val', **kwargs)) == 2
    logged, warning = [], 'mmengine.logging.MMLogger.warning'
    monkeypatch.setattr(warning, lambda self, text, *args: logged.append(text))
    dataset = SkeletonDataset(split='train', invalid='drop', **kwargs)
    assert [clip['frame_dir'] for clip in dataset] == ['clip0', 'clip2', 'clip3']
    np.testing.assert_array_equal(dataset[1]['keypoint'], clips[2]['keypoint'])
    assert 'leaves out 1 clips' in logged[0] and "'clip1'" in logged[0]


def test_a_split_that_lists_unknown_clips(write, clips):
    path = write(clips, train=['clip0', 'lost1', 'lost2'])
    with pytest.raises(ValueError, match=r"clip 'lost1': the split.*and 1 more clips"):
        SkeletonDataset(path, [], split='train')
    assert len(SkeletonDataset(path, [], split='train', invalid='drop')) == 1
    with pytest.raises(ValueError, match="'lost'.*No sound clip is left"):
        SkeletonDataset(write(clips, train=['lost']), [], split='train', invalid='drop')


def test_a_wrong_label_is_always_an_error(write, clips):
    for label in (3, -1, 1.0):
        clips[2]['label'] = label
        path = write(clips)
        with pytest.raises(ValueError, match=rf"'clip2': label is {label!r}.*num_classes=3"):
            SkeletonDataset(path, [], split='train', num_classes=3, invalid='drop')
        assert len(SkeletonDataset(path, [], split='train')) == 4


def test_labels_of_several_classes(write, clips):
    for clip in clips:
        clip['label'] = [0, 2]
    path = write(clips)
    dataset = SkeletonDataset(path, [], num_classes=3, multi_class=True)
    assert dataset[0]['label'].tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match='label is 2'):
        SkeletonDataset(path, [], num_classes=2, multi_class=True)
    clips[1]['label'] = 1
    with pytest.raises(ValueError, match="clip1': label is 1, no list"):
        SkeletonDataset(write(clips), [], num_classes=3, multi_class=True)


def test_arguments_are_checked(write, clips):
    path = write(clips, xsub_train=['clip0'], xsub_val=[])
    for options, message in (
        (dict(split='xview_train'), "split='xview_train'.*'xsub_train', 'xsub_val'"),
        (dict(split='xsub_val'), "split='xsub_val': lists no clips"),
        (dict(invalid='ignore'), "invalid='ignore'.*'drop'"),
        (dict(data_prefix=dict(skeleton='a')), 'data_prefix.*PoseDataset'),
    ):
        with pytest.raises(ValueError, match=message):
            SkeletonDataset(path, [], **options)


def test_clips_without_a_label(write, clips):
    """Missing or None, they are packed without one, and collated with those that have one."""
    del clips[0]['label']
    clips[1]['label'] = None
    clips[2]['label'] = np.int64(clips[2]['label'])  # mmaction2 itself packs no numpy numbers
    pipeline = [
        dict(type='TemporalCropResize', clip_len=8, p_interval=1.0),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
    ]
    dataset = SkeletonDataset(write(clips), pipeline, split='train', num_classes=3)
    batch = collate_clips([dataset[n] for n in range(4)])
    for samples in (batch['data_samples'], pickle.loads(pickle.dumps(batch['data_samples']))):
        labels = [sample.get('gt_label') for sample in samples]
        assert labels[:2] == [None, None] and [int(n) for n in labels[2:]] == [2, 0]
    assert ClipList.from_dataset(dataset).labels == [UNLABELED, UNLABELED, 2, 0]


def test_names_of_the_classes(tmp_path, clips):
    """Where mmengine looks for them, and those who list clips."""
    path = str(tmp_path / 'a.npz')
    save_annotations(path, clips, {}, class_names=['sit', 'run', 'wave'])
    dataset = SkeletonDataset(path, [])
    assert dataset.metainfo['classes'] == ['sit', 'run', 'wave']
    assert ClipList.from_dataset(dataset).class_names == ['sit', 'run', 'wave']
    other = SkeletonDataset(path, [], metainfo=dict(classes=['a']))
    assert other.metainfo['classes'] == ['a']
    assert UnionDataset([dataset, dataset]).metainfo == dataset.metainfo
    assert 'classes' not in UnionDataset([dataset, other]).metainfo
