"""Motion target and loss against numpy loops."""

import numpy as np
import pytest
import torch

from stars_mm.models.heads import MAMPHead


def _target(x, stride, norm, t, v):
    """(T, V, C) → (L, P), value by value."""
    T, V, C = x.shape
    if norm == 'clip':
        rows = _target(x, stride, False, t, v)
        return rows / np.sqrt(sum(value**2 for value in rows.flatten()) / rows.size + 1e-8)
    rows = []
    for tubelet in range(T // t):
        for part in range(V // v):
            values = []
            for frame in range(tubelet * t, tubelet * t + t):
                for joint in range(part * v, part * v + v):
                    for c in range(C):
                        if stride is None:
                            values.append(x[frame, joint, c])
                        elif frame + stride < T:
                            values.append(x[frame + stride, joint, c] - x[frame, joint, c])
                        else:
                            values.append(0.0)
            values = np.array(values)
            if norm:
                variance = ((values - values.mean()) ** 2).sum() / (len(values) - 1)
                values = (values - values.mean()) / np.sqrt(variance + 1e-6)
            rows.append(values)
    return np.array(rows)


@pytest.mark.parametrize(
    'stride, norm, t, v',
    [(1, True, 4, 1), (2, False, 2, 3), (5, True, 2, 3), (None, True, 4, 1), (None, False, 2, 3)]
    + [(1, 'clip', 4, 1), (2, 'clip', 2, 3)],
)
def test_target_and_loss(stride, norm, t, v):
    head = MAMPHead(norm, stride, tubelet_size=t, joint_patch_size=v)
    x = torch.randn(3, 8, 6, 3)
    x[1] = 0  # an absent person
    L, P = (8 // t) * (6 // v), t * v * 3
    pred, mask = torch.randn(3, L, P, requires_grad=True), (torch.rand(3, L) < 0.6).float()
    target = np.stack([_target(sample, stride, norm, t, v) for sample in x.double().numpy()])
    np.testing.assert_allclose(head.target(x), target, rtol=1e-4, atol=1e-5)
    errors = ((pred.detach().double().numpy() - target) ** 2).mean(-1)  # (3, L)
    loss = head.loss(pred, x, mask)
    assert list(loss) == ['loss'] and loss['loss'].dim() == 0
    assert loss['loss'].item() == pytest.approx(errors[mask == 1].mean(), rel=1e-5)
    loss['loss'].backward()
    assert torch.equal(pred.grad.abs().sum(-1) > 0, mask > 0)

    # the same number of hidden tokens in each, in any order
    ids = torch.stack([torch.randperm(L)[: L - 1] for _ in range(3)])
    rows = torch.arange(3)[:, None]
    loss = head.loss_hidden(pred[rows, ids], x, ids)['loss']
    assert loss.item() == pytest.approx(errors[rows, ids].mean(), rel=1e-5)


def test_half_precision_predictions_are_scored_in_float32():
    pred, x, mask = torch.randn(2, 10, 12), torch.randn(2, 8, 5, 3), (torch.ones(2, 10))
    loss = MAMPHead().loss(pred.bfloat16(), x, mask)['loss']
    expected = MAMPHead().loss(pred.bfloat16().float(), x, mask)['loss']
    assert loss.dtype == torch.float32 and torch.equal(loss, expected)
