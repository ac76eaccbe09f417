"""Cached features against those of the plain schedule."""

import pytest
import torch

from stars_mm.models.utils.frozen_cache import FrozenCache
from stars_mm.speed import plain


def persons():
    """Five clips: two persons, one, one twice, none, two."""
    x = torch.randn(5, 2, 8, 5, 3)
    x[1, 1] = 0
    x[2, 1] = x[2, 0]
    x[3] = 0
    return x, [2, 1, 1, 1, 2]


@pytest.fixture
def cached(encoder):
    """``cached(**changes)`` → encoder, clips and the filled cache."""

    def _cached(**changes):
        model = encoder(depth=4, **changes)
        x, num_persons = persons()
        cache = FrozenCache(
            model,
            num_persons,
            x.shape[2:],
            2,
            lambda shape, dtype: torch.full(shape, torch.nan, dtype=dtype),
        )
        for part in ([3, 1], [0, 4, 2]):  # any order, any batches
            cache.put(x[part], torch.tensor(part))
        return model, x, cache

    return _cached


@pytest.mark.parametrize('frozen_stages', [1, 2, 3, 4])
def test_features_and_gradients(cached, frozen_stages):
    model, x, cache = cached(frozen_stages=frozen_stages)
    order = torch.tensor([4, 0, 3, 2, 1])
    found = cache.features(order)
    whole = plain.thawed(model)
    expected = plain.features(whole, x[order][:, None]).squeeze(1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    trained = [(p, q) for p, q in zip(model.parameters(), whole.parameters()) if p.requires_grad]
    assert found.requires_grad == bool(trained) == (frozen_stages < 4)
    if trained:
        weight = torch.randn_like(found)
        (found * weight).sum().backward()
        (expected * weight).sum().backward()
        for ours, plainly in trained:
            scale = plainly.grad.abs().max().item()
            torch.testing.assert_close(ours.grad, plainly.grad, rtol=1e-5, atol=1e-5 * scale)


def test_what_is_kept_and_computed(cached, encoded_rows):
    model, x, cache = cached(frozen_stages=2)
    assert cache.rows.shape == (1 + 2 + 1 + 1 + 1 + 2, 10, 16)
    assert cache.slots.tolist() == [[1, 2], [3, 0], [4, 4], [0, 0], [6, 7]]
    assert cached(frozen_stages=4)[2].rows.shape == (8, 1, 16)
    rows, calls = encoded_rows(model), []
    for block in model.blocks:
        block.register_forward_hook(lambda module, args, out: calls.append(len(out)))
    cache.features(torch.tensor([1, 3, 2]))
    assert rows == [] and calls == [3, 3]  # clip 1, nobody, clip 2


@pytest.mark.parametrize(
    'changes, frozen',
    [
        (dict(), 0),
        (dict(frozen_stages=0), 0),
        (dict(frozen_stages=3), 3),
        (dict(frozen_stages=4), 5),
        (dict(frozen_stages=3, drop_path_rate=0.1), 0),
    ],
)
def test_frozen_layers_are_counted(encoder, changes, frozen):
    model = encoder(depth=4, **changes)
    assert model.num_frozen_layers == frozen
    if frozen == 3:
        model.temporal_embed.requires_grad = True
        assert model.num_frozen_layers == 0


def test_nothing_frozen_is_refused(encoder):
    with pytest.raises(ValueError, match='no frozen layer'):
        FrozenCache(encoder(), [1], (8, 5, 3), 2, torch.zeros)


def test_more_persons_than_were_said(encoder):
    cache = FrozenCache(
        encoder(frozen_stages=1), [1], (8, 5, 3), 2, lambda shape, dtype: torch.zeros(shape)
    )
    with pytest.raises(ValueError, match='more persons after the pipeline'):
        cache.put(torch.randn(1, 2, 8, 5, 3), torch.tensor([0]))
