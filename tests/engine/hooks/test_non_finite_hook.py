"""NaN and infinity end a training, or are left out, before they reach weights or checkpoints."""

import copy
import math
import resource
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import HOOKS, MODELS
from mmaction.structures import ActionDataSample
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from stars_mm.engine.hooks import NonFiniteHook

AT = 7  # counted from 0; 5 iterations are an epoch
ALONE = {'stages': [], 'allow_random_init': True, 'train_cfg.max_epochs': 2}


@HOOKS.register_module(force=True)
class Poison(Hook):
    """Makes something of an iteration no number, and compares the model with what it was before."""

    def __init__(self, faults: dict[int, str]) -> None:
        self.faults, self.fault = faults, None

    def before_train(self, runner) -> None:
        model = runner.model
        weight = model.backbone.blocks[-1].mlp.fc1.weight
        weight.register_hook(lambda grad: grad * math.nan if self.fault == 'gradient' else grad)

        def spoil(module, args, losses):  # infinite, with gradients that are not
            return {'loss': losses['loss'] + math.inf} if self.fault == 'loss' else losses

        model.register_forward_hook(spoil)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.fault = self.faults.get(runner.iter)
        self.before = state_of(runner)
        if self.fault == 'batch':
            data_batch['inputs'][2][0, 0, 3, 1, :] = math.nan

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        after = state_of(runner)
        if self.fault:
            assert math.isfinite(outputs['loss']) == (self.fault == 'gradient')
            assert_equal(after, self.before)
        else:
            assert any((after[0][key] != self.before[0][key]).any() for key in after[0])


def state_of(runner) -> tuple[dict, dict]:
    """Weights and buffers, and the optimizer's state, copied."""
    state = runner.optim_wrapper.optimizer.state_dict()['state']
    return copy.deepcopy((runner.model.state_dict(), state))


def assert_equal(ours: dict, theirs: dict) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_the_run_ends(load_cfg, build, tmp_path):
    """In the iteration itself; weights and optimizer are as before it, the batch can be read."""
    runner = build(load_cfg(tmp_path, ALONE))
    hook = Poison({AT: 'batch'})
    runner.register_hook(hook)
    with pytest.raises(FloatingPointError) as error:
        runner.train()
    assert runner.iter == AT
    model, optimizer = state_of(runner)
    weights = {key: hook.before[0][key] for key, _ in runner.model.named_parameters()}
    assert_equal({key: model[key] for key in weights}, weights)
    assert_equal(optimizer, hook.before[1])

    assert sorted(path.name for path in tmp_path.glob('epoch_*')) == ['epoch_1.pth']
    state = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    assert all(value.isfinite().all() for value in state.values())

    path = tmp_path / f'not_finite_iter_{AT + 1}_rank_0.pth'
    saved = torch.load(path, weights_only=True)
    assert saved['iteration'] == AT + 1 and math.isnan(saved['loss'])
    clips = torch.stack(saved['batch']['inputs'])
    assert len(clips) == len(saved['clips']) == 4 and clips.isnan().sum() == 3
    assert path.stat().st_size < 40_000
    message = str(error.value)
    assert message.startswith(f'Iteration {AT + 1} (epoch 2, learning rate 0.001): the loss is nan')
    assert f'Clips: {", ".join(saved["clips"])}. Batch: {path}.' in message


def test_batches_are_left_out(load_cfg, build, tmp_path):
    """They change nothing: neither weights nor optimizer, running means nor queue."""
    runner = build(load_cfg(tmp_path, {**ALONE, 'default_hooks.non_finite.max_skips': 2}))
    faults = {2: 'batch', 4: 'gradient', 5: 'loss', AT: 'batch'}
    runner.register_hook(Poison(faults))
    runner.train()
    assert all(value.isfinite().all() for value in runner.model.state_dict().values())
    (guard,) = (one for one in runner.hooks if isinstance(one, NonFiniteHook))
    assert guard.skipped == 4
    (log,) = tmp_path.glob('*/*.log')
    assert '2 in a row (at most 2), 3 in all.' in log.read_text()
    assert not list(tmp_path.glob('not_finite*'))
    assert 'update_params' not in vars(runner.optim_wrapper)


def test_no_checkpoint_of_what_is_no_number(load_cfg, build, tmp_path):
    """Such as a buffer that no loss shows."""
    runner = build(load_cfg(tmp_path, ALONE))
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.model.head.queue.feats[3, 2] = math.inf
    with pytest.raises(FloatingPointError, match='not finite: head.queue.feats. No checkpoint'):
        runner.save_checkpoint(str(tmp_path), 'epoch_1.pth')
    assert not (tmp_path / 'epoch_1.pth').exists()


def test_no_checkpoint_of_an_optimizer_that_stands_still(load_cfg, build, tmp_path):
    """Adam never moves a weight again whose gradient had an infinite square."""
    runner = build(load_cfg(tmp_path, {**ALONE, 'custom_hooks': []}))
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    weight = runner.model.backbone.norm.weight
    runner.optim_wrapper.update_params((1e20 * weight).sum())
    assert weight.isfinite().all()
    with pytest.raises(FloatingPointError, match=r'not finite: optimizer\.state\.\d+\.exp_avg_sq'):
        runner.save_checkpoint(str(tmp_path), 'epoch_1.pth')
    assert not (tmp_path / 'epoch_1.pth').exists()


class Line(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))
        self.register_buffer('mean', torch.zeros(1))


def guarded(
    work_dir: Path, wrapper=OptimWrapper, max_skips=0, model=None, **kwargs
) -> SimpleNamespace:
    """What of a runner the hook needs, around one weight of two numbers."""
    model = model or Line()
    runner = SimpleNamespace(model=model, iter=0, epoch=0, work_dir=str(work_dir))
    runner.optim_wrapper = wrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.5), **kwargs)
    runner.logger = MMLogger.get_instance('guarded')
    hook = runner.hook = NonFiniteHook(max_skips)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0, dict(data_samples=[dict(sample_idx=5)]))
    return runner


@pytest.mark.parametrize('fault', ['gradient', 'loss'])
def test_each_ends_it(fault, tmp_path):
    """A loss without gradients that show it, gradients without such a loss."""
    runner = guarded(tmp_path)
    weight = runner.model.weight
    loss = weight.sum() + math.inf if fault == 'loss' else (weight - 1).norm().sqrt()
    text = 'loss is inf. C' if fault == 'loss' else 'loss is 0, and no gradient is finite. C'
    with pytest.raises(FloatingPointError, match=rf'Iteration 1 \(epoch 1, .* 0.5\): the {text}'):
        runner.optim_wrapper.update_params(loss)
    assert weight.tolist() == [1, 1]


def test_gradients_that_are_large(tmp_path):
    """Their squares are infinite, they are not."""
    runner = guarded(tmp_path)
    runner.optim_wrapper.update_params(runner.model.weight.sum() * 2.0**100)
    assert runner.model.weight.tolist() == [-(2.0**99), -(2.0**99)]


def test_a_batch_that_cannot_be_saved(tmp_path):
    """What ended the training is said all the same."""
    runner = guarded(tmp_path / 'run')
    (tmp_path / 'run').mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        with pytest.raises(FloatingPointError, match=r'loss is nan.*could not be saved .*large'):
            runner.optim_wrapper.update_params(runner.model.weight.sum() * math.nan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list((tmp_path / 'run').iterdir())


def test_too_many_in_a_row(tmp_path):
    runner = guarded(tmp_path, max_skips=2)
    weight, update = runner.model.weight, runner.optim_wrapper.update_params
    for factor in (math.nan, math.inf, 1, math.nan, math.inf):
        update(weight.sum() * factor)
    with pytest.raises(FloatingPointError, match=r'Iteration 1 .*2 batches before it were left'):
        update(weight.sum() * math.nan)
    assert weight.tolist() == [0.5, 0.5] and runner.hook.skipped == 4


def test_gathered_gradients(tmp_path):
    """With several batches a step, the one that is no number ends the run or is dropped alone."""
    for max_skips in (0, 1):
        runner = guarded(tmp_path, accumulative_counts=2, max_skips=max_skips)
        weight, update = runner.model.weight, runner.optim_wrapper.update_params
        update(weight.sum())
        assert weight.tolist() == [1, 1]
        if not max_skips:
            with pytest.raises(FloatingPointError, match='loss is nan.*Clips: 5'):
                update(weight.sum() * math.nan)
            continue
        update(weight.sum() * math.nan)
        assert weight.tolist() == [1, 1]
        update(weight.sum())
        update(weight.sum())
        assert weight.tolist() == [0.5, 0.5] and runner.hook.skipped == 1
    runner = guarded(tmp_path, accumulative_counts=2)
    with pytest.raises(FloatingPointError, match='loss is 0, and no gradient is finite. Clips: 5'):
        runner.optim_wrapper.update_params((runner.model.weight - 1).norm().sqrt())


def test_mixed_precision(tmp_path, monkeypatch):
    """Gradients that overflow are the scaler's; a loss that is no number, or a scale that has
    become nothing, is a fault."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)  # asked for on creation
    runner = guarded(tmp_path, AmpOptimWrapper)
    wrapper, weight = runner.optim_wrapper, runner.model.weight
    wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=2.0**16)
    wrapper.update_params(weight.sum() * 1e35)  # scaled, the gradient is infinite
    assert weight.tolist() == [1, 1] and wrapper.loss_scaler.get_scale() == 2.0**15
    wrapper.update_params(weight.sum())
    assert weight.tolist() == [0.5, 0.5]
    with pytest.raises(FloatingPointError, match='loss scale of mixed precision fell to 6e-05'):
        for _ in range(40):  # the loss is 0 or so
            wrapper.update_params((weight - weight.detach()).norm().sqrt())
    runner = guarded(tmp_path, AmpOptimWrapper)
    runner.optim_wrapper.loss_scaler = torch.amp.GradScaler('cpu')
    with pytest.raises(FloatingPointError, match='the loss is nan'):
        runner.optim_wrapper.update_params(runner.model.weight.sum() * math.nan)
    assert runner.model.weight.tolist() == [1, 1]


def test_two_ranks_agree(two_ranks, tmp_path):
    """The loss of rank 1 alone is no number, twice: both leave the first out, both end with the
    second, and say the same."""
    sizes = dict(embed_dims=16, depth=1, num_heads=2, num_frames=8, num_joints=5)
    head = dict(type='NNCLRHead', in_channels=16, hidden_channels=8, queue_size=10)
    backbone = dict(type='SkeletonTransformer', **sizes)
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(4, 2, 3, 1, 1, 8, 5, 3, generator=generator)  # steps, ranks, N, …
    clips[1, 1, 0, 0, 0, 0] = clips[3, 1, 2, 0, 0, 0] = math.nan

    def train_line(rank):
        model = MMDistributedDataParallel(torch.nn.Linear(2, 1))
        runner = guarded(tmp_path, model=model)
        loss = model(torch.ones(1, 2)).sum()
        with pytest.raises(FloatingPointError) as error:
            runner.optim_wrapper.update_params(loss + (math.inf if rank else 0) * (loss - loss))
        return str(error.value)

    def train(rank):
        torch.manual_seed(0)
        model = MMDistributedDataParallel(
            MODELS.build(dict(type='STARS', backbone=backbone, head=head)), broadcast_buffers=False
        )
        runner = SimpleNamespace(model=model, iter=0, epoch=0, work_dir=str(tmp_path))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        runner.optim_wrapper = OptimWrapper(optimizer)
        runner.logger = MMLogger.get_instance('ranks')
        hook = NonFiniteHook(max_skips=1)
        hook.before_train(runner)
        states = []
        for step in range(4):
            batch = dict(inputs=list(clips[step, rank]), data_samples=[])
            for number in range(3):
                meta = dict(sample_idx=3 * rank + number, frame_dir=f'clip{rank}{number}')
                batch['data_samples'].append(ActionDataSample(metainfo=meta))
            hook.before_train_iter(runner, step, batch)
            if step == 3:
                hook._in_a_row = 1  # as if the one before had been bad, too
            try:
                model.train_step(batch, runner.optim_wrapper)
            except FloatingPointError as error:
                return states, str(error), train_line(rank)
            runner.iter += 1
            states.append({key: value.numpy().copy() for key, value in model.state_dict().items()})

    (first, told, line), (second, also_told, also_line) = two_ranks(train)
    assert len(first) == len(second) == 3
    for ours, theirs in zip(first, second):
        for key in ours:
            assert torch.from_numpy(ours[key]).isfinite().all()
            if 'projector' not in key and 'predictor.1' not in key:  # own means
                assert (ours[key] == theirs[key]).all(), key
    for states in (first, second):
        same = [(states[0][key] == states[1][key]).all() for key in states[0]]
        assert all(same) and not (states[1]['module.backbone.norm.weight'] == 1).all()
        assert any((states[1][key] != states[2][key]).any() for key in states[0])
    assert told == also_told
    for rank in range(2):  # the head compares the clips of all ranks
        assert f'Rank {rank}: the loss is nan' in told
        assert f'Clips: clip{rank}0, clip{rank}1, clip{rank}2.' in told
    assert line == also_line and 'Rank 1: the loss is nan' in line and 'Rank 0' not in line
    for rank in range(2):
        assert (tmp_path / f'not_finite_iter_4_rank_{rank}.pth').is_file()


def test_bad_arguments():
    with pytest.raises(ValueError, match='max_skips=-1 must not be negative'):
        NonFiniteHook(max_skips=-1)
