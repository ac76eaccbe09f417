import torch

from stars_mm.engine.features import FeatureSet


def part(indices: list) -> FeatureSet:
    """Sample i has the feature (i, -i) and the label 10 i."""
    idx = torch.tensor(indices)
    return FeatureSet(
        torch.stack([idx, -idx], 1).float(), 10 * idx, idx)


def test_each_sample_once_in_order():
    """The parts of two ranks, whose last batch is padded with the first."""
    found = FeatureSet.cat([part([4, 0]), part([2]), part([3, 1, 0, 4])])
    for name in ('features', 'labels', 'sample_idx'):
        wanted = getattr(part([0, 1, 2, 3, 4]), name)
        assert torch.equal(getattr(found, name), wanted), name


def test_gaps_stay_gaps():
    found = FeatureSet.cat(part([i]) for i in (7, 100, 7, 3))
    assert found.sample_idx.tolist() == [3, 7, 100]
    assert found.labels.tolist() == [30, 70, 1000]


def test_of_two_equal_samples_the_first():
    first, second = part([1]), part([1])
    second.features += 5
    assert torch.equal(
        FeatureSet.cat([first, second]).features, first.features)
