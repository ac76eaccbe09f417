"""Scores for a report: raw coordinates, random encoder, every stage of a run."""

from functools import partial
from pathlib import Path

from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from mmengine.runner import set_random_seed
from torch import nn

from stars_mm.engine.features import FeatureSet
from stars_mm.evaluation.functional import cluster_scores, knn_accuracy
from stars_mm.evaluation.protocols.features import BankAndQuery, FeatureReader, raw_rows
from stars_mm.evaluation.protocols.trained_stages import TrainedStage
from stars_mm.utils.environment import package_versions

_KS = (1, 2, 5, 10)


def score(features: BankAndQuery, seed: int = 0) -> dict[str, float]:
    """Scores of the features of ``bank`` and ``query``: ``knn_top1`` (k = 1) and ``knn_k2`` … in
    percent, and those of :func:`cluster_scores`; the seed is that of k-means."""
    bank, query = features['bank'], features['query']
    ks = [k for k in _KS if k <= len(bank.labels)]
    knn = knn_accuracy(bank.features, bank.labels, query.features, query.labels, ks)
    scores = {'knn_top1' if k == 1 else f'knn_k{k}': knn[f'top1_k{k}'] for k in ks}
    scores.update(cluster_scores(query.features, query.labels, seed))
    return {name: round(value, 4) for name, value in scores.items()}


def score_stages(
    reader: FeatureReader, stages: list[TrainedStage], seed: int = 0, raw: bool = True
) -> tuple[dict[str, dict[str, float]], dict[str, FeatureSet]]:
    """Row → scores of raw coordinates (where ``raw``, since they keep every clip in memory), of the
    first stage's model untrained and of each stage's encoder; and row → features of the encoders'
    query. The seed is that of the untrained weights and of k-means."""
    rows = raw_rows(reader) if raw else []
    rows.append(('random', lambda: reader.read(build_random_model(stages[0].cfg, seed))))
    for stage in stages:
        rows.append((stage.row, partial(reader.read_encoder, stage.encoder, stage.cfg)))
    results, queries = {}, {}
    for row, read in rows:
        features = read()
        results[row] = score(features, seed)
        print_log(f'{row}: {results[row]}', logger='current')
        if not row.startswith('raw'):
            queries[row] = features['query']
    return results, queries


def build_random_model(cfg: Config, seed: int) -> nn.Module:
    """An untrained model of a config in evaluation mode, its weights drawn by the seed."""
    set_random_seed(seed)
    model = MODELS.build(cfg.model)
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')  # it would list every parameter
    model.init_weights()
    logger.setLevel(level)
    return model.eval()


def describe(reader: FeatureReader, stages: list[TrainedStage], seed: int) -> dict:
    """What the numbers rest on, for the ``meta`` entry of the results."""
    bank, query = (reader.clips(role) for role in ('bank', 'query'))
    clips = dict(bank=len(bank.labels), query=len(query.labels))
    return dict(
        seed=seed,
        clips=clips,
        protocol=f'Nearest neighbors by cosine: bank {bank.source} ({clips["bank"]} clips), query '
        f'{query.source} ({clips["query"]} clips), uniform vote, last epoch of every stage. NMI '
        'and ARI compare k-means with the classes, silhouette is that of the classes under cosine '
        "distance; all on the query. Raw rows take the test pipeline's output as it is.",
        stages=[
            dict(
                row=stage.row,
                checkpoint=Path(stage.encoder.path).name,
                epochs=stage.encoder.meta['epoch'],
                planned_epochs=stage.cfg.train_cfg.get('max_epochs'),
                iterations=stage.encoder.meta['iter'],
                seed=stage.encoder.meta.get('seed'),
            )
            for stage in stages
        ],
        versions=package_versions(),
    )
