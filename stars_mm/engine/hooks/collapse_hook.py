import torch
import torch.nn.functional as F
from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

#: Below one of these, features are said to have collapsed. Healthy runs had 0.077 to 0.81 and 1.86
#: to 23.8 on a batch, the least in the first epochs of the demo's stage 1; after 40 steps whose
#: only aim was that views are alike, it was 0.015 to 0.034 and 1.35 to 1.54.
LEAST_STD, LEAST_RANK = 0.04, 1.6
_FEWEST = 8  # clips that tell a rank


@HOOKS.register_module()
class CollapseHook(Hook):
    """Logs how far apart the features of a training batch are, and warns once of a collapse.

    At the end of every epoch the last batch of rank 0 goes through the encoder once more, as in a
    test and without gradients; nothing of the training changes. ``feature_std`` and
    ``feature_rank`` are logged with the loss; see :func:`feature_spread`. Models without
    ``extract_parts``, such as classifiers, are not looked at.
    """

    def __init__(self) -> None:
        self._has_warned = False

    @master_only
    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: object = None
    ) -> None:
        """Measure the last batch of an epoch."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        is_last = self.end_of_epoch(runner.train_dataloader, batch_idx)
        if not (is_last and hasattr(model, 'extract_parts')):
            return
        model.eval()
        with torch.no_grad():
            feats = model.extract_feat(model.data_preprocessor(data_batch, False)['inputs'])
        model.train()
        if len(feats) < _FEWEST or not feats.isfinite().all():  # the latter ends the run elsewhere
            return
        std, rank = feature_spread(feats)
        runner.message_hub.update_scalar('train/feature_std', std)
        runner.message_hub.update_scalar('train/feature_rank', rank)
        if self._has_warned or (std >= LEAST_STD and rank >= LEAST_RANK):
            return
        self._has_warned = True
        runner.logger.warning(
            f'The features have collapsed: those of the {len(feats)} clips of a batch in epoch '
            f'{runner.epoch + 1} have a standard deviation of {std:.3f} (healthy: above '
            f'{LEAST_STD}) and an effective rank of {rank:.1f} (above {LEAST_RANK}). What is '
            'learned from here on tells clips no longer apart: lower the learning rate, or look at '
            'the loss and its temperature.'
        )


def feature_spread(feats: Tensor) -> tuple[float, float]:
    """How far apart features (N, C) are, and in how many directions.

    Returns:
        tuple[float, float]: Of the features of unit length: the standard deviation, all channels
        together, 0 where all are equal, 1 where they point everywhere (arXiv 2011.10566, section
        4.1, times the root of C); the effective rank, which is the exponential of the entropy of
        their singular values, 1 to min(N, C) (arXiv 2210.02885): 1 where all are equal.
    """
    unit = F.normalize(feats.float())
    std = (unit - unit.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    values = torch.linalg.svdvals(unit)
    share = values / values.sum()
    return std.item(), torch.special.entr(share).sum().exp().item()
