"""A union against its data sets one by one."""

import pytest
import torch

from stars_mm.datasets import SkeletonDataset, UnionDataset, collate_clips
from stars_mm.models.data_preprocessors import SkeletonPreprocessor
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.preparation.layouts import get_layout

PACK = [
    dict(type='TemporalCropResize', clip_len=8, p_interval=(0.5, 1.0), min_frames=4),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]


@pytest.fixture
def sets(tmp_path, make_clip):
    """Configs of three data sets: 3, 2 and 4 clips of different skeletons, of equal names."""
    configs = []
    for count, name in ((3, 'kinect-20'), (2, 'kard-15'), (4, 'ntu-25')):
        layout = get_layout(name)
        clips = [make_clip(n, (1, 9 + n, layout.num_joints, 3)) for n in range(count)]
        path = str(tmp_path / f'{name}.pkl')
        names = [clip['frame_dir'] for clip in clips]
        save_annotations(path, clips, dict(train=names), skeleton=layout.to_dict())
        pipeline = [dict(type='MapJoints'), *PACK]
        configs.append(dict(type='SkeletonDataset', ann_file=path, pipeline=pipeline))
    return configs


def test_clips_of_different_skeletons(sets):
    for config in sets:
        config['pipeline'][1] = dict(type='TemporalCropResize', clip_len=8, p_interval=1.0)
    union = UnionDataset(sets)
    singles = [SkeletonDataset(**{k: v for k, v in c.items() if k != 'type'}) for c in sets]
    expected = [(n, own) for n, one in enumerate(singles) for own in range(len(one))]
    assert len(union) == len(expected) == 9
    for idx, (number, own) in enumerate(expected):
        item, single = union[idx], singles[number][own]
        assert item['inputs'].shape == (1, 1, 8, 15, 3)
        torch.testing.assert_close(item['inputs'], single['inputs'], rtol=0, atol=0)
        assert item['data_samples'].sample_idx == idx == union.get_data_info(idx)['sample_idx']
        assert single['data_samples'].sample_idx == own
        assert item['data_samples'].frame_dir == f'clip{own}'
    assert union[-1]['data_samples'].sample_idx == 8


def test_planned_views_in_batches(sets):
    """The preprocessor makes of planned views what the transforms make one by one."""
    steps = [dict(type='CenterSkeleton', center_joint=2, align=(3, 6)), PACK[0]]
    meta_keys = PACK[-1]['meta_keys']
    ends = [*steps, *PACK[1:]], [dict(type='PackViews', transforms=steps, meta_keys=meta_keys)]
    ends[1][0]['num_person'] = 1
    found = []
    for end in ends:
        union = UnionDataset([dict(one, pipeline=[dict(type='MapJoints'), *end]) for one in sets])
        union.set_epoch(0, 0)
        batch = collate_clips([union[n] for n in range(9)])
        assert [sample.sample_idx for sample in batch['data_samples']] == list(range(9))
        found.append(SkeletonPreprocessor()(batch)['inputs'])
    assert found[0].shape == (9, 1, 1, 8, 15, 3)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_another_clip_that_was_drawn_keeps_its_number(sets):
    """Where a pipeline refuses a clip, a data set draws another one."""

    def refuse(results):
        return None if results['sample_idx'] in (0, 2, 3) else results

    sets[2]['pipeline'].insert(0, refuse)
    item = UnionDataset(sets)[5]
    assert item['data_samples'].frame_dir == 'clip1'
    assert item['data_samples'].sample_idx == 3 + 2 + 1


def test_random_transforms_are_tied_to_the_epoch(sets):
    same = [sets[0], sets[0]]
    found = []
    for union in (UnionDataset(same), UnionDataset(same)):
        for epoch, seed in ((0, 0), (1, 0), (0, 1)):
            union.set_epoch(epoch, seed)
            found.append(torch.stack([union[n]['inputs'] for n in range(6)]))
    for first, second in zip(found[:3], found[3:]):
        assert torch.equal(first, second)
    one, *others = found[:3]
    assert not any(torch.equal(one, other) for other in others)
    assert not torch.equal(one[:3], one[3:])  # the sets' draws are not the same


def test_refusals():
    for datasets in ([], dict(type='SkeletonDataset')):
        with pytest.raises(ValueError, match='give a list of data sets'):
            UnionDataset(datasets)
