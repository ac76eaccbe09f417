import pytest
import torch

from stars_mm.engine.features import UNLABELED, ClipList, FeatureSet


def part(indices: list) -> FeatureSet:
    """Sample i has the feature (i, -i), the label 10 i and the name 'ci'."""
    idx = torch.tensor(indices)
    return FeatureSet(
        torch.stack([idx, -idx], 1).float(), 10 * idx, idx, [f'c{i}' for i in indices]
    )


def test_each_sample_once_in_order():
    """The parts of two ranks, whose last batch is padded with the first."""
    found = FeatureSet.cat([part([4, 0]), part([2]), part([3, 1, 0, 4])])
    for name in ('features', 'labels', 'sample_idx'):
        wanted = getattr(part([0, 1, 2, 3, 4]), name)
        assert torch.equal(getattr(found, name), wanted), name
    assert found.names == ['c0', 'c1', 'c2', 'c3', 'c4']


def test_gaps_stay_and_of_two_equal_samples_the_first():
    second = part([7])
    second.features, second.names = second.features + 5, None
    found = FeatureSet.cat([*(part([i]) for i in (7, 100, 3)), second])
    assert found.sample_idx.tolist() == [3, 7, 100]
    assert found.labels.tolist() == [30, 70, 1000]
    assert found.features[1].tolist() == [7, -7]
    assert found.names is None  # only where all have one


class Clips(list):
    """As little of a data set as a list of clips needs."""

    ann_file = 'a.pkl'
    get_data_info = list.__getitem__


def test_list_of_clips():
    clips = Clips([dict(frame_dir='b', label=2), dict(frame_dir='a', label=0)])
    found = ClipList.from_dataset(clips)
    assert (found.names, found.labels) == (['b', 'a'], [2, 0])
    assert found.source == 'a.pkl'
    clips.split = 'val'
    clips.insert(0, dict(frame_dir='c'))
    found = ClipList.from_dataset(clips)
    assert (found.names, found.labels) == (['c', 'b', 'a'], [UNLABELED, 2, 0])
    found = found.labeled()
    assert (found.names, found.labels, found.class_names) == (['b', 'a'], [2, 0], None)
    assert found.labeled() is found
    clips[1:] = [dict(frame_dir='d', label=None)]
    with pytest.raises(ValueError, match="'val' of a.pkl: no clip has a label.*no-validate"):
        ClipList.from_dataset(clips).labeled()
    clips.append(dict(frame_dir='e', label=[1, 2]))
    with pytest.raises(ValueError, match=r"clip 'e' has the label \[1, 2\]"):
        ClipList.from_dataset(clips)


def test_samples_without_a_label():
    samples = [dict(feature=torch.ones(2) * n, sample_idx=n, frame_dir=f'c{n}') for n in range(4)]
    samples[2]['gt_label'] = torch.tensor([5])
    samples[0]['gt_label'] = torch.tensor([0])
    found = FeatureSet.from_samples(samples)
    assert found.labels.tolist() == [0, UNLABELED, 5, UNLABELED]
    kept = found.labeled()
    assert kept.names == ['c0', 'c2'] and kept.labels.tolist() == [0, 5]
    assert kept.sample_idx.tolist() == [0, 2] and kept.features.tolist() == [[0, 0], [2, 2]]
    assert kept.labeled() is kept
