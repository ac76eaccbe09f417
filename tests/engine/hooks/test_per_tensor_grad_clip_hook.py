import pytest
import torch
from mmengine.hooks import Hook
from torch import nn

from stars_mm.engine.hooks import PerTensorGradClipHook


class Spy(Hook):
    """Notes the gradients that reach the optimizer at this hook's place."""

    def __init__(self):
        self.steps = []

    def before_train(self, runner):
        self.model = runner.model
        runner.optim_wrapper.optimizer.register_step_pre_hook(self._note)

    def _note(self, *_):
        self.steps.append(
            {
                name: param.grad.clone()
                for name, param in self.model.named_parameters()
                if param.grad is not None
            }
        )


def test_each_tensor_in_training(load_cfg, build, tmp_path):
    max_norm = 0.05
    cfg = load_cfg(
        tmp_path,
        {
            'stages': [],
            'allow_random_init': True,
            'train_cfg.max_epochs': 1,
            'custom_hooks.0.max_norm': max_norm,
        },
    )
    runner = build(cfg)
    before, after = Spy(), Spy()
    runner.register_hook(before, 'VERY_HIGH')
    runner.register_hook(after, 'VERY_LOW')
    runner.train()

    assert len(before.steps) == len(after.steps) == 5
    clipped = untouched = 0
    for raw, given in zip(before.steps, after.steps):
        assert raw.keys() == given.keys()
        for name, grad in raw.items():
            norm = grad.square().sum().sqrt()
            if norm <= max_norm * 0.99:
                assert torch.equal(given[name], grad), name
                untouched += 1
                continue
            torch.testing.assert_close(
                given[name], grad * (max_norm / norm).clamp(max=1), rtol=1e-4, atol=0
            )
            assert given[name].norm() <= max_norm * (1 + 1e-6)
            clipped += 1
    assert clipped > 10 and untouched > 10


def clip(optimizer, **kwargs):
    """Attaches the clipping as the runner does."""
    hook = PerTensorGradClipHook(**kwargs)
    runner = type('Runner', (), {})()
    runner.optim_wrapper = type('Wrapper', (), dict(optimizer=optimizer))
    hook.before_train(runner)


def test_default_norm_by_hand():
    """(3, 4) has norm 5 and is cut to 3; (0.3, 0.4) is left as it is, however
    long its neighbour."""
    params = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    optimizer = torch.optim.SGD(params, lr=1.0)
    clip(optimizer)
    params[0].grad = torch.tensor([3.0, 4.0])
    params[1].grad = torch.tensor([0.3, 0.4])
    optimizer.step()
    torch.testing.assert_close(params[0].data, torch.tensor([-1.8, -2.4]))
    assert params[1].tolist() == torch.tensor([-0.3, -0.4]).tolist()
    assert params[2].tolist() == [0, 0]


@pytest.mark.parametrize('fused', [False, True])
def test_scaled_gradients(fused):
    """Mixed precision scales gradients; what is clipped is the real one."""
    param = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([param], lr=1.0, fused=fused)
    clip(optimizer)
    scaler = torch.amp.GradScaler('cpu', init_scale=1024.0)
    loss = (param * torch.tensor([3.0, 4.0])).sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    torch.testing.assert_close(param.data, torch.tensor([-1.8, -2.4]))


def test_bad_norm():
    with pytest.raises(ValueError, match='max_norm must be positive, got 0'):
        PerTensorGradClipHook(max_norm=0)
