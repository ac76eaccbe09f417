"""The single entry of mmengine's runner."""

import pytest
import torch


def test_modes(stars, samples):
    model = stars().eval()
    inputs, data_samples = torch.randn(3, 1, 2, 8, 5, 3), samples([4, 5, 6])
    feats = model(inputs, mode='tensor')
    found = model(inputs, data_samples, mode='predict')
    assert torch.equal(torch.stack([s.feature for s in found]), feats)
    assert [sample.sample_idx for sample in found] == [4, 5, 6]
    assert list(model(inputs, data_samples, mode='loss')) == ['loss']
    with pytest.raises(ValueError, match='got "train"'):
        model(inputs, data_samples, mode='train')
