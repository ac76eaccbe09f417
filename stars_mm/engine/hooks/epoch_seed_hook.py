import random

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Make every epoch's randomness a function of seed, epoch and rank alone.

    A run that was interrupted and resumed then draws the same masks, crops and rotations as one
    that went through, which mmengine, whose checkpoints hold no random state, does not ensure.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Let the workers draw their seeds elsewhere: they start every epoch,
        or, persistent ones, in the first epoch of a process."""
        runner.train_dataloader.generator = torch.Generator()

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process, and tell the data set which epoch begins."""
        entropy = [runner.seed, runner.epoch, runner.rank]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        dataset = runner.train_dataloader.dataset
        if hasattr(dataset, 'set_epoch'):
            dataset.set_epoch(runner.epoch, runner.seed)
