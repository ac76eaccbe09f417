import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from stars_mm.evaluation.functional import HalfWhitening


def clips(N, C, seed=0):
    """Features of unequal variances, and off the origin."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(N, C)) * np.geomspace(3, 0.01, C) + 5)


@pytest.mark.parametrize('N, C', [(60, 12), (24, 40)])
@pytest.mark.parametrize('power', [0, 0.5, 1])
def test_components_are_those_of_scikit_learn(N, C, power):
    """Of more clips than numbers, and of fewer."""
    bank, query = clips(N, C), clips(7, C, seed=1)
    found = HalfWhitening(6, power).fit(bank).transform(query)
    pca = PCA(6, svd_solver='full').fit(bank.numpy())
    std = np.sqrt(pca.explained_variance_ * (N - 1) / N)
    wanted = torch.from_numpy(pca.transform(query.numpy()) / std**power)
    torch.testing.assert_close(found.abs(), wanted.abs(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(found @ found.t(), wanted @ wanted.t(), rtol=1e-6, atol=1e-8)


def test_as_many_components_as_the_bank_bears():
    sizes = {(30, 50): 10, (5, 50): 2, (2, 50): 1, (600, 20): 20, (900, 150): 100}
    for (N, C), count in sizes.items():
        assert HalfWhitening().fit(clips(N, C)).transform(clips(4, C)).shape == (4, count)


def test_directions_without_variance_are_left_out():
    bank = clips(30, 3) @ torch.randn(3, 8, dtype=torch.float64)
    assert HalfWhitening(6).fit(bank).transform(bank).shape == (30, 3)
    same = torch.ones(10, 4)
    assert HalfWhitening().fit(same).transform(same + 1).shape == (10, 0)


def test_single_precision_comes_back_and_chunks_do_not_matter():
    bank = clips(2500, 4).float()
    whitening = HalfWhitening(2).fit(bank)
    found = whitening.transform(bank)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[2000:], whitening.transform(bank[2000:]))
    torch.testing.assert_close(
        found.double().mean(dim=0), torch.zeros(2).double(), atol=1e-6, rtol=0
    )
    spread = found.double().std(dim=0, correction=0)
    torch.testing.assert_close(
        spread, bank.double().std(dim=0, correction=0)[:2].sqrt(), rtol=0.05, atol=0
    )


def test_refusals():
    with pytest.raises(ValueError, match='components=1 must be 2'):
        HalfWhitening(1)
    with pytest.raises(ValueError, match='power=2 must lie'):
        HalfWhitening(power=2)
    with pytest.raises(ValueError, match='two clips or more in the bank, got 1'):
        HalfWhitening().fit(clips(1, 3))
    with pytest.raises(ValueError, match='not finite'):
        HalfWhitening().fit(clips(9, 3) / 0)
    with pytest.raises(ValueError, match='call fit'):
        HalfWhitening().transform(clips(2, 3))
    with pytest.raises(ValueError, match='fitted to features of 3 numbers and got 4'):
        HalfWhitening().fit(clips(9, 3)).transform(clips(2, 4))
