"""Writes what was predicted of each clip of a test, with names, as JSON.

The file holds ``predictions``, a list with ``name``, ``label``, ``predicted`` and ``neighbours`` of
every clip, beside what :mod:`~stars_mm.evaluation.functional.class_results` tells of them.
"""

import json
from collections.abc import Sequence
from typing import Any

from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from stars_mm.engine.features import FeatureSet
from stars_mm.evaluation.functional.class_results import (
    Neighbors,
    class_results,
    find_neighbors,
    named_predictions,
)
from stars_mm.evaluation.functional.knn import knn_predict
from stars_mm.evaluation.metrics.feature_metric import FeatureMetric
from stars_mm.utils.atomic import write_text


def dump_metric(path: str, test_cfg: dict) -> dict:
    """The metric that writes the predictions of a test.

    Args:
        path (str): A ``.json`` for what is told in this module; a ``.pkl`` for mmengine's
            ``DumpResults``, the data samples with scores or features.
        test_cfg (dict): The config of the test loop, which compares features or classifies.

    Raises:
        ValueError: If the name ends otherwise.
    """
    if path.endswith(('.pkl', '.pickle')):
        return dict(type='DumpResults', out_file_path=path)
    if not path.endswith('.json'):
        raise ValueError(f'--dump: {path!r} does not end in .json, .pkl or .pickle')
    kind = 'FeaturePredictions' if 'bank_dataloader' in test_cfg else 'ClassifierPredictions'
    return dict(type=kind, out_file_path=path)


@METRICS.register_module()
class FeaturePredictions(FeatureMetric):
    """Writes the class of each query clip's nearest neighbor in the bank, and the nearest ones.

    Args:
        out_file_path (str): The ``.json``.
        **kwargs: ``collect_device`` and ``prefix``, as every metric has them.
    """

    def __init__(self, out_file_path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.out_file_path = out_file_path

    def compute(self, bank: FeatureSet, query: FeatureSet) -> dict[str, float]:
        """Writes the file; there are no values."""
        predicted = knn_predict(bank.features, bank.labels, query.features)[0]
        names = _names(bank)
        neighbors = find_neighbors(bank.features, names, bank.labels.tolist(), query.features)
        told = _names(query), query.labels.tolist(), predicted.tolist()
        _write(self.out_file_path, *told, self.dataset_meta, neighbors)
        return {}


@METRICS.register_module()
class ClassifierPredictions(BaseMetric):
    """Writes the class of the largest score of each clip, of a recognizer.

    Args:
        out_file_path (str): The ``.json``.
        **kwargs: ``collect_device`` and ``prefix``, as every metric has them.
    """

    def __init__(self, out_file_path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.out_file_path = out_file_path

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep name, class and prediction of a batch, by their index in the data set."""
        for sample in data_samples:
            index = sample.get('sample_idx', len(self.results))
            name = sample.get('frame_dir', f'clip {index}')
            label, predicted = int(sample['gt_label']), int(sample['pred_score'].argmax())
            self.results.append((index, name, label, predicted))

    def compute_metrics(self, results: list[tuple[int, str, int, int]]) -> dict[str, float]:
        """Writes the file; there are no values."""
        each_once = {result[0]: result[1:] for result in results}
        names, labels, predicted = map(list, zip(*(each_once[key] for key in sorted(each_once))))
        _write(self.out_file_path, names, labels, predicted, self.dataset_meta)
        return {}


def _names(clips: FeatureSet) -> list[str]:
    return clips.names or [f'clip {index}' for index in clips.sample_idx.tolist()]


def _write(
    path: str,
    names: list[str],
    labels: list[int],
    predicted: list[int],
    dataset_meta: dict | None,
    neighbors: Neighbors | None = None,
) -> None:
    told = names, labels, predicted, (dataset_meta or {}).get('classes'), neighbors
    content = dict(class_results(*told), predictions=named_predictions(*told))
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + '\n')
    print_log(f'Predictions of {len(names)} clips: {path}', logger='current')
