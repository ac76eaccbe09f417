import torch
from mmaction.registry import LOOPS
from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from stars_mm.engine.features import ClipList
from stars_mm.engine.runner.space_features import SpaceFeatures

LOG_INTERVAL = 50  # batches of the bank between two lines in the log


class FeatureLoop(BaseLoop):
    """Features of a bank and of a query set, computed once for all metrics.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): Clips that are judged, the query.
        bank_dataloader (DataLoader or dict): Labelled clips to compare with,
            usually the training split with the test pipeline.
        evaluator (Evaluator, dict or list): Feature metrics.
        feature_space (str or dict, optional): What the metrics compare: a name of
            ``FEATURE_SPACES``, such as ``'joints'`` or ``'combined_pulled'``, or the arguments of
            :class:`FeatureSpace`, fitted to the bank without its labels. By default the published
            feature, the model's mean over all tokens.
    """

    mode = ''

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        bank_dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        feature_space: str | dict | None = None,
    ) -> None:
        super().__init__(runner, dataloader)
        if isinstance(bank_dataloader, dict):
            bank_dataloader = runner.build_dataloader(bank_dataloader, seed=runner.seed)
        self.bank_dataloader = bank_dataloader
        if isinstance(evaluator, (dict, list)):
            evaluator = runner.build_evaluator(evaluator)
        self.evaluator = evaluator
        self.evaluator.dataset_meta = getattr(self.dataloader.dataset, 'metainfo', None)
        self._space: SpaceFeatures | None = None
        if feature_space is not None:
            self._space = SpaceFeatures(feature_space, runner.model)
        self._prepare_metrics()

    def run(self) -> dict[str, float]:
        """Compute the features, then the metrics; returns name → value of each."""
        self.runner.call_hook(f'before_{self.mode}')
        self.runner.call_hook(f'before_{self.mode}_epoch')
        self.runner.model.eval()
        total = len(self.bank_dataloader)
        for idx, batch in enumerate(self.bank_dataloader):
            if idx % LOG_INTERVAL == 0:
                self.runner.logger.info(f'Features of the bank: batch {idx}/{total}')
            self.run_iter(batch, role='bank')
        for idx, batch in enumerate(self.dataloader):
            self.runner.call_hook(f'before_{self.mode}_iter', batch_idx=idx, data_batch=batch)
            outputs = self.run_iter(batch, role='query')
            self.runner.call_hook(
                f'after_{self.mode}_iter', batch_idx=idx, data_batch=batch, outputs=outputs
            )
        if self._space is not None:
            for samples in self._space.batches():
                self.evaluator.process(data_samples=samples)
        # counts padded samples too: the metrics drop them by sample index
        size = len(self.bank_dataloader.sampler) + len(self.dataloader.sampler)
        metrics = self.evaluator.evaluate(self.runner.world_size * size)
        self.runner.call_hook(f'after_{self.mode}_epoch', metrics=metrics)
        self.runner.call_hook(f'after_{self.mode}')
        return metrics

    def _prepare_metrics(self) -> None:
        """Let the metrics see the clips before hours of features."""
        metrics = [metric for metric in self.evaluator.metrics if hasattr(metric, 'prepare')]
        datasets = [self.bank_dataloader.dataset, self.dataloader.dataset]
        if metrics and all(hasattr(d, 'get_data_info') for d in datasets):
            bank, query = map(ClipList.from_dataset, datasets)
            for metric in metrics:
                metric.prepare(bank, query, self.runner.work_dir)

    @torch.no_grad()
    def run_iter(self, data_batch: dict, role: str) -> list:
        """Compute the features of one batch of the ``'bank'`` or the ``'query'`` for the metrics;
        returns the data samples with their ``feature``, which in a feature space they get once all
        of the bank was seen."""
        if self._space is None:
            outputs = getattr(self.runner.model, f'{self.mode}_step')(data_batch)
        else:
            outputs = self._space.add(data_batch, role)
        for sample in outputs:
            sample.set_metainfo(dict(role=role))
        if self._space is None:
            self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        return outputs


@LOOPS.register_module()
class FeatureValLoop(FeatureLoop):
    """Features and their metrics during training, which does not depend on them; see
    :class:`FeatureLoop`."""

    mode = 'val'


@LOOPS.register_module()
class FeatureTestLoop(FeatureLoop):
    """Features and their metrics of a checkpoint; see :class:`FeatureLoop`."""

    mode = 'test'
