"""mmengine's training loops, which go on in the midst of an epoch."""

from mmaction.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from stars_mm.engine.random_state import set_random_state


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """Training by epochs; a checkpoint from the midst of one goes on with the next batch.

    Attributes:
        random_state (dict, optional): The generators' state at the checkpoint (see
            :mod:`~stars_mm.engine.random_state`).
    """

    random_state: dict | None = None

    def run_epoch(self) -> None:
        """Train one epoch, or what is left of it."""
        done = 0
        if self.random_state is not None:
            done = self._iter - self._epoch * len(self.dataloader)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        batches = iter(self.dataloader)
        try:
            for _ in range(done):
                next(batches)
            if done:
                set_random_state(self.random_state)
            self.random_state = None
            for idx, data_batch in enumerate(batches, done):
                self.run_iter(idx, data_batch)
        finally:
            del batches  # ends its workers at once, not when an error's traceback is let go of
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


@LOOPS.register_module()
class ResumableIterTrainLoop(IterBasedTrainLoop):
    """Training by iterations, which go on with the random numbers that a checkpoint holds.

    Attributes:
        random_state (dict, optional): As of :class:`ResumableTrainLoop`.
    """

    random_state: dict | None = None

    def run_iter(self, data_batch: dict) -> None:
        """Train one iteration."""
        if self.random_state is not None:
            set_random_state(self.random_state)
            self.random_state = None
        super().run_iter(data_batch)


def resumable(loop: dict) -> dict:
    """The config of a training loop, with ours in the place of mmengine's two."""
    if 'type' not in loop and 'by_epoch' in loop:
        name = 'EpochBasedTrainLoop' if loop['by_epoch'] else 'IterBasedTrainLoop'
        loop = dict({key: value for key, value in loop.items() if key != 'by_epoch'}, type=name)
    for theirs, ours in (
        (EpochBasedTrainLoop, ResumableTrainLoop),
        (IterBasedTrainLoop, ResumableIterTrainLoop),
    ):
        if loop.get('type') in (theirs, theirs.__name__) and 'by_epoch' not in loop:
            return dict(loop, type=ours)
    return loop
