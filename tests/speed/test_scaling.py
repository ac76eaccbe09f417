"""The arithmetic of the scaling benchmark, and what a step does not do."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from torch.utils._python_dispatch import TorchDispatchMode

from stars_mm.models.utils.frozen_cache import FrozenCache
from stars_mm.speed import scaling
from stars_mm.speed.traffic import look_at_traffic


def test_overlap():
    """A step of 10 that takes 9.25 without its all-reduce of 3 alone."""
    found = scaling.overlap([10.0, 11.0, 30.0], [9.25, 10.25, 9.0], [3.0, 2.0, 4.0])
    assert found['exposed_seconds'] == 0.75  # turn by turn: .75, .75, 21
    assert found['exposed_spread'] == [0.75, 21.0]
    assert found['reduce_seconds'] == 3.0 and found['no_sync_seconds'] == 9.25
    assert found['hidden_share'] == 0.75
    assert found['reduce_spread'] == [2.0, 4.0]


@pytest.mark.parametrize('step, hidden', [(8.0, 1.0), (9.0, 1.0), (20.0, 0.0)])
def test_overlap_stays_a_share(step, hidden):
    found = scaling.overlap([step], [9.0], [3.0])
    assert found['hidden_share'] == hidden
    assert found['exposed_seconds'] == step - 9


def test_row_and_efficiency():
    """Four times the clips in 1.25 of the time: an efficiency of 0.8."""
    rows = [
        scaling.make_row(
            'a',
            4,
            32,
            dict(
                step=[2.5, 2.4, 9.0], no_sync=[2.5] * 3, reduce=[1.0] * 3, search=[0.1, 0.05, 0.05]
            ),
        ),
        scaling.make_row('a', 1, 8, dict(step=[2.0])),
        scaling.make_row('b', 4, 8, dict(step=[2.0])),
    ]
    scaling.add_efficiency(rows)
    assert rows[0]['seconds'] == 2.5 and rows[0]['spread'] == [2.4, 9.0]
    assert rows[0]['clips_per_second'] == 32 / 2.5
    assert rows[0]['search_seconds'] == 0.05
    assert rows[0]['search_share'] == pytest.approx(0.02)
    assert [row['efficiency'] for row in rows] == [0.8, 1.0, None]
    assert 'hidden_share' not in rows[1]
    lines = scaling.time_table(rows).splitlines()
    assert lines[2].startswith('| a | 4 | 2.5 | 2.4 to 9 | 12.8 | 80% |')
    assert lines[4].startswith('| b | 4 | 2 | 2 to 2 | 4 |  |')


def test_one_process_sends_nothing(build, sizes):
    model = build(
        dict(
            type='STARS',
            backbone=sizes.encoder,
            head=dict(
                type='NNCLRHead', in_channels=sizes.embed_dims, hidden_channels=24, queue_size=20
            ),
        )
    )
    before = {key: value.clone() for key, value in model.state_dict().items()}
    data = dict(inputs=list(torch.randn(3, 1, 2, 16, 5, 3)), data_samples=samples(range(3)))
    assert look_at_traffic(model, lambda model: model, data) == dict(
        gradient_bytes=4 * sum(p.numel() for p in model.parameters()),
        bucket_bytes=[],
        gather_bytes=0,
        reduce_bytes=0,
        broadcast_bytes=0,
    )
    for key, value in model.state_dict().items():  # a copy was looked at
        assert torch.equal(value, before[key]), key


def samples(indices) -> list:
    return [ActionDataSample(metainfo=dict(sample_idx=i)) for i in indices]


class Written(TorchDispatchMode):
    """Counts the numbers that operations make."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if func.is_view:
            return made
        for tensor in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(tensor, torch.Tensor):
                self.numbers += tensor.numel()
        return made


@pytest.mark.parametrize('cached', [False, True])
def test_a_step_does_not_grow_with_the_data_set(build, sizes, cached):
    """Stage 2 on the same clips of 6, and of 6000: as many numbers are made,
    forwards and backwards, the table of the cached layers being larger."""
    model = build(
        dict(
            type='STARS',
            backbone=dict(sizes.encoder, frozen_stages=1),
            head=dict(
                type='NNCLRHead', in_channels=sizes.embed_dims, hidden_channels=24, queue_size=20
            ),
        )
    ).train()
    clips = torch.randn(3, 1, 2, 16, 5, 3)
    begun = {key: value.clone() for key, value in model.state_dict().items()}
    made, losses = [], []
    for length in (6, 6000):
        model.load_state_dict(begun)
        indices = [0, length // 2, length - 1]
        if cached:
            model.frozen_cache = FrozenCache(
                model.backbone,
                [2] * length,
                clips.shape[3:],
                2,
                lambda shape, dtype: torch.zeros(shape, dtype=dtype),
            )
            model.frozen_cache.put(clips[:, 0], torch.tensor(indices))
            assert len(model.frozen_cache.rows) == 2 * length + 1
        with Written() as written:
            loss = model.loss(clips, samples(indices))['loss']
            loss.backward()
        model.zero_grad()
        made.append(written.numbers)
        losses.append(loss.detach())
    assert made[0] == made[1] > 1000
    torch.testing.assert_close(*losses)
