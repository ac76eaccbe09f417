from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from stars_mm.engine.hooks import PerTensorGradClipHook


def wrap(params, wrapper=OptimWrapper, **kwargs):
    """An optimizer wrapper that clips as in a runner."""
    optim_wrapper = wrapper(optimizer=torch.optim.SGD(params, lr=1.0), **kwargs)
    PerTensorGradClipHook().before_train(SimpleNamespace(optim_wrapper=optim_wrapper))
    return optim_wrapper


def test_default_norm_by_hand():
    """(3, 4) has norm 5 and is cut to 3; (0.3, 0.4) is left as it is, however long the other."""
    little = torch.tensor([0.3, 0.4])
    params = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    wrapper = wrap(params)
    for step in (1, 2):
        wrapper.update_params((params[0] * torch.tensor([3.0, 4.0])).sum() + params[1] @ little)
        torch.testing.assert_close(params[0].data, step * torch.tensor([-1.8, -2.4]))
        torch.testing.assert_close(params[1].data, -step * little)
    assert params[2].tolist() == [0, 0]


def test_each_tensor_in_training(load_cfg, build, tmp_path):
    """As the schedule of stage 2 asks: a step of SGD is no longer than the norm, in each tensor."""
    options = {'stages': [], 'allow_random_init': True, 'train_cfg.max_epochs': 1}
    options.update({'custom_hooks.0.max_norm': 0.05, 'param_scheduler': []})
    cfg = load_cfg(tmp_path, options)
    cfg.optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0))
    runner = build(cfg)
    lengths, step = [], runner.train_loop.run_iter

    def run_iter(*args):
        before = [param.detach().clone() for param in runner.model.parameters()]
        step(*args)
        after = runner.model.parameters()
        lengths.extend((old - new).norm().item() for old, new in zip(before, after))

    runner.train_loop.run_iter = run_iter
    runner.train()
    assert max(lengths) < 0.05 * (1 + 1e-4)
    assert sum(length > 0.0499 for length in lengths) > 10


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
