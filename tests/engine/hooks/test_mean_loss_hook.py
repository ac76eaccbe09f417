from types import SimpleNamespace

import pytest
import torch
from mmengine.dist import get_rank
from mmengine.hooks import RuntimeInfoHook
from mmengine.logging import MessageHub
from mmengine.runner.priority import get_priority

from stars_mm.engine.hooks import MeanLossHook


@pytest.mark.slow
def test_the_mean_of_all_processes_is_logged(ranks):
    def run(rank) -> None:
        hub = MessageHub.get_instance('mean_loss')
        outputs = dict(
            loss=torch.tensor(1.0 + 2 * get_rank(), requires_grad=True) * 1, top1_acc=torch.ones(1)
        )
        hooks = [RuntimeInfoHook(), MeanLossHook()]
        for hook in sorted(hooks, key=lambda hook: get_priority(hook.priority)):
            hook.after_train_iter(SimpleNamespace(message_hub=hub), 0, outputs=outputs)
        assert hub.get_scalar('train/loss').current() == 2
        assert hub.get_scalar('train/top1_acc').current() == 1

    ranks(run, 2)
