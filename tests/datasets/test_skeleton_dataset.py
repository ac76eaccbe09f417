"""SkeletonDataset: what it gives, and what it refuses."""

import pickle

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope

from stars_mm.datasets import SkeletonDataset
from stars_mm.preparation.convert import convert
from stars_mm.preparation.readers import get_reader

PIPELINE = [
    dict(type='CenterSkeleton'),
    dict(type='TemporalCropResize', clip_len=8, min_frames=4),
    dict(type='RandomRot'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]


@pytest.mark.parametrize('kind', ['SkeletonDataset', 'PoseDataset'])
def test_pipeline_end_to_end(write, clips, kind):
    cfg = dict(type=kind, ann_file=write(clips), pipeline=PIPELINE, split='val', num_classes=3)
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(cfg)
    assert len(dataset) == 2
    for index, clip in enumerate(clips[4:]):
        sample = dataset[index]
        assert sample['inputs'].shape == (1, 2, 8, 5, 3)
        assert sample['data_samples'].sample_idx == index
        assert sample['data_samples'].frame_dir == clip['frame_dir']
        assert sample['data_samples'].gt_label.item() == clip['label']
        # Clip 4 has one person; the padded one is zero.
        assert sample['inputs'][0, 1].any() == (index == 1)


def test_equal_to_pose_dataset(write, clips):
    cfg = dict(ann_file=write(clips), pipeline=[], split='train')
    ours = DATASETS.build(dict(type='SkeletonDataset', **cfg))
    theirs = DATASETS.build(dict(type='PoseDataset', **cfg))
    assert len(ours) == len(theirs) == 4
    for mine, other in zip(ours, theirs):
        np.testing.assert_array_equal(mine.pop('keypoint'), other.pop('keypoint'))
        assert mine == other


def test_equal_to_pose_dataset_with_scores_and_boxes(write, clips):
    """As in files of 2D poses; clips are chosen by their boxes too."""
    rng = np.random.default_rng(0)
    for number, clip in enumerate(clips):
        M, T, V, _ = clip['keypoint'].shape
        clip.update(
            keypoint_score=rng.random((M, T, V)).astype(np.float16),
            img_shape=(480, 640),
            box_score=rng.random((M, T)),
            valid={0.5: T if number % 2 else 0},
            other=rng.random(T),
        )
    path = write(clips, all=[clip['frame_dir'] for clip in clips])
    cfg = dict(ann_file=path, pipeline=[], split='all', valid_ratio=0.5)
    ours = DATASETS.build(dict(type='SkeletonDataset', **cfg))
    theirs = DATASETS.build(dict(type='PoseDataset', **cfg))
    assert len(ours) == len(theirs) == 3
    for mine, other in zip(ours, theirs):
        assert mine.keys() == other.keys()
        for key, value in other.items():
            assert type(mine[key]) is type(value)
            np.testing.assert_array_equal(mine[key], value)


@pytest.mark.parametrize('serialize', [True, False])
def test_a_sample_is_its_own(write, clips, serialize):
    """What a transform does to a clip stays with that sample."""
    dataset = SkeletonDataset(write(clips), [], serialize_data=serialize)
    dataset[1]['keypoint'][:] = 0
    np.testing.assert_array_equal(dataset[1]['keypoint'], clips[1]['keypoint'])


def test_another_process_gets_the_same_clips(write, clips):
    dataset = SkeletonDataset(write(clips), [], split='val')
    other = pickle.loads(pickle.dumps(dataset))
    assert len(other) == 2
    for number in range(2):
        np.testing.assert_array_equal(other[number]['keypoint'], clips[4 + number]['keypoint'])


def test_coordinates_are_not_in_the_list_of_clips(write, clips):
    """Beside names and labels an entry has the clip's number alone."""
    dataset = SkeletonDataset(write(clips), [], split='val', serialize_data=False)
    assert [set(clip) for clip in dataset.data_list] == [
        {'frame_dir', 'label', 'total_frames', '_number_in_file'}
    ] * 2
    assert 'sample_idx' in dataset[0] and '_number_in_file' not in dataset[0]


def test_sizes(write, clips):
    dataset = SkeletonDataset(write(clips), [], split='train', lazy_init=True)
    assert (dataset.num_joints, dataset.in_channels, dataset.max_persons) == (5, 3, 2)
    for clip in clips:
        clip['keypoint'] = clip['keypoint'][..., :2]
        clip['keypoint_score'] = np.ones(clip['keypoint'].shape[:3])
    dataset = SkeletonDataset(write(clips, one=['clip2']), PIPELINE[:2] + PIPELINE[3:], split='one')
    assert (dataset.num_joints, dataset.in_channels, dataset.max_persons) == (5, 3, 1)
    assert dataset[0]['inputs'].shape == (1, 2, 8, 5, 3)


@pytest.mark.parametrize('serialize', [True, False])
def test_keeps_what_a_base_dataset_does(write, clips, serialize):
    path = write(clips)
    kwargs = dict(pipeline=[], split='train', serialize_data=serialize)
    names = [
        SkeletonDataset(path, indices=indices, **kwargs)[-1]['frame_dir']
        for indices in (2, -2, [3, 0])
    ]
    assert names == ['clip1', 'clip3', 'clip0']
    lazy = SkeletonDataset(path, lazy_init=True, **kwargs)
    assert not lazy._fully_initialized
    lazy.full_init()
    subset = lazy.get_subset([1, 2])
    assert [clip['frame_dir'] for clip in subset] == ['clip1', 'clip2']
    assert subset.num_joints == 5
    assert [lazy[i]['frame_dir'] for i in (-4, 3)] == ['clip0', 'clip3']
    for index in (-5, 4):
        with pytest.raises(IndexError, match=f'clip {index} of 4'):
            lazy[index]


def test_plain_list_and_no_split(write, clips, tmp_path):
    path = tmp_path / 'list.pkl'
    for clip in clips:
        del clip['total_frames']
    path.write_bytes(pickle.dumps(clips))
    dataset = SkeletonDataset(str(path), [])
    assert [clip['total_frames'] for clip in dataset] == [*range(10, 16)]
    assert len(SkeletonDataset(write(clips), [])) == 6
    with pytest.raises(ValueError, match="split='train'.*no such split.*none"):
        SkeletonDataset(str(path), [], split='train')


def test_split_is_checked(write, clips):
    path = write(clips, xsub_train=['clip0'], xsub_val=[])
    with pytest.raises(ValueError, match="split='xview_train'.*'xsub_train', 'xsub_val'"):
        SkeletonDataset(path, [], split='xview_train')
    with pytest.raises(ValueError, match="split='xsub_val': lists no clips"):
        SkeletonDataset(path, [], split='xsub_val')


def spoil(key, value):

    def change(clip):
        clip[key] = value(clip[key]) if callable(value) else value

    return change


def put(value):

    def change(clip):
        clip['keypoint'][0, 3, 2, 1] = value

    return change


def wide(dtype, value):

    def change(clip):
        clip['keypoint'] = clip['keypoint'].astype(dtype)
        put(value)(clip)

    return change


FAULTS = {
    'two axes': (spoil('keypoint', lambda k: k[0, 0]), r'keypoint has shape \(5, 3\)'),
    'a list': (spoil('keypoint', lambda k: k.tolist()), 'keypoint is list'),
    'nothing': (spoil('keypoint', None), 'keypoint is NoneType'),
    'no frame': (spoil('keypoint', lambda k: k[:, :0]), r'shape \(2, 0, 5, 3\)'),
    'no person': (spoil('keypoint', lambda k: k[:0]), r'shape \(0, 11, 5, 3\)'),
    'zero': (spoil('keypoint', lambda k: k * 0), 'zero throughout'),
    'minus zero': (spoil('keypoint', lambda k: k * np.float16(-0.0)), 'zero throughout'),
    'nan': (put(np.nan), r'keypoint\[0, 3, 2, 1\] is nan'),
    'inf': (put(np.inf), r'keypoint\[0, 3, 2, 1\] is inf'),
    'minus inf': (put(-np.inf), r'keypoint\[0, 3, 2, 1\] is -inf'),
    'nan, f4': (wide('f4', -np.nan), r'keypoint\[0, 3, 2, 1\] is nan'),
    'inf, f8': (wide('f8', -np.inf), r'keypoint\[0, 3, 2, 1\] is -inf'),
    'inf, swapped': (wide('>f4', np.inf), r'keypoint\[0, 3, 2, 1\] is inf'),
    'joints': (
        spoil('keypoint', lambda k: k[:, :, :4]),
        'V=4 joints.*3 of the 4 clips have V=5 joints',
    ),
    'channels': (spoil('keypoint', lambda k: k[..., :2]), 'C=2 .*have.*C=3'),
    'frames': (spoil('total_frames', 30), 'total_frames is 30'),
    'half a frame': (spoil('total_frames', 1.5), r'total_frames is 1\.5'),
    'score': (spoil('keypoint_score', 1.0), 'keypoint_score is float, no'),
    'scores of others': (
        spoil('keypoint_score', np.ones((1, 11, 5))),
        r'keypoint_score has shape \(1, 11, 5\)',
    ),
}


@pytest.mark.parametrize('change, message', FAULTS.values(), ids=FAULTS)
def test_a_faulty_clip_is_an_error_or_left_out(write, clips, change, message, monkeypatch):
    clips[1].setdefault('keypoint_score', None)
    change(clips[1])
    if clips[1]['keypoint_score'] is None:
        del clips[1]['keypoint_score']
    path = write(clips)
    kwargs = dict(ann_file=path, pipeline=[], serialize_data=False)
    with pytest.raises(ValueError, match=rf"ann\.pkl: clip 'clip1': .*{message}.*drop"):
        SkeletonDataset(split='train', **kwargs)
    assert len(SkeletonDataset(split='val', **kwargs)) == 2

    logged = []
    monkeypatch.setattr(
        'mmengine.logging.MMLogger.warning', lambda self, text, *args: logged.append(text)
    )
    dataset = SkeletonDataset(split='train', invalid='drop', **kwargs)
    names = [clip['frame_dir'] for clip in dataset]
    assert names == ['clip0', 'clip2', 'clip3']
    assert 'leaves out 1 clips' in logged[0] and "'clip1'" in logged[0]


def test_large_values_are_no_fault(write, clips):
    clips[1]['keypoint'][0, 0, 0, 0] = np.finfo(np.float16).max
    clips[2]['keypoint'] = np.arange(60).reshape(1, 4, 5, 3)
    clips[2]['total_frames'] = 3  # what follows is padding
    assert len(SkeletonDataset(write(clips), [], split='train')) == 4


def test_a_split_that_lists_unknown_clips(write, clips):
    path = write(clips, train=['clip0', 'lost1', 'lost2'])
    with pytest.raises(ValueError, match=r"clip 'lost1': the split.*and 1 more clips"):
        SkeletonDataset(path, [], split='train')
    dataset = SkeletonDataset(path, [], split='train', invalid='drop')
    assert len(dataset) == 1
    path = write(clips, train=['lost'])
    with pytest.raises(ValueError, match="'lost'.*No sound clip is left"):
        SkeletonDataset(path, [], split='train', invalid='drop')


@pytest.mark.parametrize('invalid', ['error', 'drop'])
@pytest.mark.parametrize('label', [3, -1, 1.0, None, '1'])
def test_a_wrong_label_is_always_an_error(write, clips, label, invalid):
    clips[2]['label'] = label
    with pytest.raises(
        ValueError, match=(rf"ann\.pkl: clip 'clip2': label is {label!r}.*num_classes=3")
    ):
        SkeletonDataset(write(clips), [], split='train', num_classes=3, invalid=invalid)
    assert len(SkeletonDataset(write(clips), [], split='train')) == 4


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
    with pytest.raises(ValueError, match="invalid='ignore'.*'drop'"):
        SkeletonDataset(write(clips), [], invalid='ignore')
    with pytest.raises(ValueError, match='data_prefix.*PoseDataset'):
        SkeletonDataset(write(clips), [], data_prefix=dict(skeleton='a'))


def test_runs_nothing(tmp_path):
    """A hostile file is refused by the data set too."""
    path = tmp_path / 'evil.pkl'
    path.write_bytes(b'cbuiltins\neval\n(V1/0\ntR.')
    with pytest.raises(ValueError, match=r'evil\.pkl: refused.*builtins\.eval'):
        SkeletonDataset(str(path), [])


def test_real_recordings(shared_dir, tmp_path):
    """NW-UCLA as it is distributed goes through conversion and pipeline."""
    archive = shared_dir / 'data/nw_ucla/all_sqe.zip'
    if not archive.exists():
        pytest.skip(f'no recordings at {archive}')
    path = str(tmp_path / 'nw-ucla.pkl')
    convert(get_reader('nw-ucla')(str(archive)), path)
    train, val = (
        SkeletonDataset(path, PIPELINE, split=split, num_classes=10)
        for split in ('xview_train', 'xview_val')
    )
    assert (len(train), len(val)) == (1020, 464)
    assert (train.num_joints, train.in_channels, train.max_persons) == (20, 3, 1)
    assert all(sample['inputs'].isfinite().all() for sample in val)
