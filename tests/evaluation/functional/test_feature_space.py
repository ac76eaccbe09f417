import pytest
import torch
from torch.nn.functional import normalize

from stars_mm.evaluation.functional import (
    FEATURE_SPACES,
    FeatureSpace,
    HalfWhitening,
    pull_to_mutual_neighbors,
)
from stars_mm.evaluation.functional.feature_space import build_feature_space


def parts(N, seed):
    generator = torch.Generator().manual_seed(seed)
    return dict(
        positions=torch.randn(N, 12, generator=generator),
        distances=torch.randn(N, 9, generator=generator) * 40,
        joints=torch.randn(N, 3, 4, generator=generator) + 2,
        published=torch.zeros(N, 4),
    )


def test_parts_side_by_side():
    """The cosine is the mean of the parts' cosines, each with its own whitening."""
    bank, query = parts(60, 0), parts(8, 1)
    space = FeatureSpace(('joints', 'distances'), components=5, power=0.3).fit(bank)
    found = space.transform(query) @ space.transform(bank).t()
    wanted = 0
    for part in ('joints', 'distances'):
        own = HalfWhitening(5, 0.3).fit(bank[part].flatten(1))
        own = [normalize(own.transform(feats[part].flatten(1))) for feats in (query, bank)]
        wanted = wanted + own[0] @ own[1].t() / 2
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_named_spaces():
    bank, query = parts(60, 0), parts(8, 1)
    plain = build_feature_space('combined').compare(bank, query)
    assert [feats.shape for feats in plain] == [(60, 33), (8, 33)]  # 12 + 9 + 12, all there are
    pulled = build_feature_space('combined_pulled').compare(bank, query)
    for own, wanted in zip(pulled, pull_to_mutual_neighbors(*plain)):
        torch.testing.assert_close(own, wanted)
    assert not torch.allclose(pulled[0], plain[0])
    assert {'geometry', 'joints_pulled', 'raw_half_whitened'} < set(FEATURE_SPACES)
    own = build_feature_space(dict(parts=['positions'], components=3)).compare(bank, query)
    assert own[0].shape == (60, 3)


def test_refusals():
    with pytest.raises(ValueError, match="'geometri': there are raw_half_whitened, geometry"):
        build_feature_space('geometri')
    for wrong in ('joints', (), ('joints', 'joints'), ('joint',)):
        with pytest.raises(ValueError, match='give some of'):
            FeatureSpace(wrong)
