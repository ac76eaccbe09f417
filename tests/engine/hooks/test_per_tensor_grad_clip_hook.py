from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from stars_mm.engine.hooks import PerTensorGradClipHook


class GradientsAtTheStep(Hook):
    """Notes the gradients as they are before and after clipping."""

    def before_train(self, runner):
        model, wrapper = runner.model, runner.optim_wrapper
        self.raw, self.given = [], []

        def gradients():
            params = model.named_parameters()
            return {name: p.grad.clone() for name, p in params if p.grad is not None}

        step = wrapper.step
        wrapper.step = lambda **kwargs: (self.raw.append(gradients()), step(**kwargs))
        wrapper.optimizer.register_step_pre_hook(lambda *args: self.given.append(gradients()))


def test_each_tensor_in_training(load_cfg, build, tmp_path):
    max_norm = 0.05
    options = {
        'stages': [],
        'allow_random_init': True,
        'train_cfg.max_epochs': 1,
        'custom_hooks.0.max_norm': max_norm,
    }
    runner = build(load_cfg(tmp_path, options))
    noted = GradientsAtTheStep()
    runner.register_hook(noted)
    runner.train()

    assert len(noted.raw) == len(noted.given) == 5
    clipped = untouched = 0
    for raw, given in zip(noted.raw, noted.given):
        assert raw.keys() == given.keys()
        for name, grad in raw.items():
            norm = grad.square().sum().sqrt()
            if norm <= max_norm * 0.99:
                assert torch.equal(given[name], grad), name
                untouched += 1
                continue
            expected = grad * (max_norm / norm).clamp(max=1)
            torch.testing.assert_close(given[name], expected, rtol=1e-4, atol=0)
            assert given[name].norm() <= max_norm * (1 + 1e-6)
            clipped += 1
    assert clipped > 10 and untouched > 10


def wrap(params, wrapper=OptimWrapper, **kwargs):
    """An optimizer wrapper that clips as in a runner."""
    optim_wrapper = wrapper(optimizer=torch.optim.SGD(params, lr=1.0), **kwargs)
    PerTensorGradClipHook().before_train(SimpleNamespace(optim_wrapper=optim_wrapper))
    return optim_wrapper


def test_default_norm_by_hand():
    """(3, 4) has norm 5 and is cut to 3; (0.3, 0.4) is left as it is, however
    long its neighbour."""
    params = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    wrapper = wrap(params)
    wrapper.update_params((params[0] * torch.tensor([3.0, 4.0])).sum() + params[1] @ LITTLE)
    torch.testing.assert_close(params[0].data, torch.tensor([-1.8, -2.4]))
    assert torch.equal(params[1].data, -LITTLE)
    assert params[2].tolist() == [0, 0]


LITTLE = torch.tensor([0.3, 0.4])


def test_scaled_gradients(monkeypatch):
    """Mixed precision scales gradients; what is clipped is the real one."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)  # asked for on creation
    scaler = torch.amp.GradScaler('cpu', init_scale=1024.0)
    param = nn.Parameter(torch.zeros(2))
    wrapper = wrap([param], AmpOptimWrapper)
    wrapper.loss_scaler = scaler
    wrapper.update_params((param * torch.tensor([3.0, 4.0])).sum())
    torch.testing.assert_close(param.data, torch.tensor([-1.8, -2.4]))


def test_bad_arguments():
    with pytest.raises(ValueError, match='max_norm must be positive, got 0'):
        PerTensorGradClipHook(max_norm=0)
    with pytest.raises(ValueError, match="clip_grad={'max_norm': 9} .* leave out one"):
        wrap([nn.Parameter(torch.zeros(1))], clip_grad=dict(max_norm=9))
