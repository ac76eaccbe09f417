from mmaction.registry import HOOKS, TASK_UTILS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from stars_mm.engine.features import ClipList

_METRIC = 'knn/top1_k1'  # of :class:`KNNMetric`, percent


@HOOKS.register_module()
class BaselineHook(Hook):
    """Tells before training what needs no learning, and after every validation whether the learned
    features beat it.

    Compared is the nearest neighbor (k = 1, percent) of the validation's query in its bank, by raw
    coordinates and by feature spaces of the clips alone. Where there is no validation by features,
    or no clip has a class, nothing is said.
    """

    def __init__(self) -> None:
        self.baselines: dict[str, float] = {}

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Measure the rows without learning and log them."""
        bank_cfg = (runner.cfg.get('val_cfg') or {}).get('bank_dataloader')
        if bank_cfg is None:
            return
        # on one process, whole and in order
        loaders = [
            Runner.build_dataloader(dict(cfg, sampler=dict(type='DefaultSampler', shuffle=False)))
            for cfg in (bank_cfg, runner.cfg.val_dataloader)
        ]
        try:
            for loader in loaders:
                ClipList.from_dataset(loader.dataset).labeled()
        except ValueError:  # nothing to judge by
            return
        bank, query = loaders
        self.baselines = TASK_UTILS.build(
            dict(type='knn_baselines', bank_loader=bank, query_loader=query)
        )
        rows = ', '.join(f'{row} {value:.1f}' for row, value in self.baselines.items())
        runner.logger.info(f'Without learning, {_METRIC}: {rows}')

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Say by how many points the learned features beat the best of the rows, or miss it."""
        learned = (metrics or {}).get(_METRIC)
        if not self.baselines or learned is None:
            return
        best = max(self.baselines, key=lambda row: self.baselines[row])
        bound = self.baselines[best]
        if learned > bound:
            runner.logger.info(
                f'Learned features ({_METRIC} {learned:.1f}) beat the best row without learning, '
                f'{best} ({bound:.1f}), by {learned - bound:.1f} points.'
            )
        else:
            runner.logger.warning(
                f'Learned features ({_METRIC} {learned:.1f}) do not beat the best row without '
                f'learning, {best} ({bound:.1f}): {bound - learned:.1f} points are missing.'
            )
