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


def test_a_vector_a_joint(stars):
    """Token by token, and its mean over the joints is the sequence feature."""
    model = stars().eval()
    inputs = torch.randn(3, 2, 2, 8, 5, 3)
    found = model.extract_joint_feat(inputs)
    wanted = torch.zeros_like(found)
    for n in range(3):
        for clip in inputs[n]:
            tokens = model.backbone.encode(clip).unflatten(1, model.backbone.grid_size)
            for person in tokens:  # (T′, V′, C′)
                for frame in person:
                    wanted[n] += frame / (4 * len(person))  # 2 clips, 2 persons
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(found.mean(dim=1), model.extract_feat(inputs))
    assert torch.equal(model.extract_parts(inputs)['published'], model.extract_feat(inputs))
    with pytest.raises(ValueError, match='takes inputs of shape'):
        model.extract_joint_feat(inputs[:, 0])
