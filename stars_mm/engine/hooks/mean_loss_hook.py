import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce_dict
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor


@HOOKS.register_module()
class MeanLossHook(Hook):
    """Logs the mean of each loss over all processes, as one process logs it of the whole batch.

    mmengine logs the first process's, of its own share of the clips.
    """

    priority = 'HIGHEST'  # before RuntimeInfoHook notes them

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict[str, Tensor] | None = None,
    ) -> None:
        """Put the means in the place of the process's own losses."""
        if outputs:
            with torch.no_grad():
                all_reduce_dict(outputs, 'mean')
