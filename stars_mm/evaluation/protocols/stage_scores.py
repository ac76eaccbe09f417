"""Scores for a report: the clips alone, a random encoder, every stage of a run."""

from pathlib import Path

from mmengine.logging import print_log

from stars_mm.engine.features import FeatureSet
from stars_mm.evaluation.functional import cluster_scores, knn_accuracy
from stars_mm.evaluation.protocols.clip_rows import RAW_ROWS, clip_rows
from stars_mm.evaluation.protocols.features import (
    GEOMETRY_ROWS,
    PUBLISHED,
    ROLES,
    BankAndQuery,
    FeatureReader,
)
from stars_mm.evaluation.protocols.lost_to import lost_to
from stars_mm.evaluation.protocols.results_table import row_title
from stars_mm.evaluation.protocols.trained_stages import TrainedStage
from stars_mm.utils.environment import package_versions

_KS = (1, 2, 5, 10)


def score(features: BankAndQuery, seed: int = 0) -> dict[str, float]:
    """Scores of the features of ``bank`` and ``query``: ``knn_top1`` (k = 1) and ``knn_k2`` … in
    percent, and those of :func:`cluster_scores` (not of several views of the query); the seed is
    that of k-means."""
    bank, query = (features[role].labeled() for role in ROLES)
    ks = [k for k in _KS if k <= len(bank.labels)]
    knn = knn_accuracy(bank.features, bank.labels, query.features, query.labels, ks)
    scores = {'knn_top1' if k == 1 else f'knn_k{k}': knn[f'top1_k{k}'] for k in ks}
    if query.features.dim() == 2:
        scores.update(cluster_scores(query.features, query.labels, seed))
    return {name: round(value, 4) for name, value in scores.items()}


def score_stages(
    reader: FeatureReader, stages: list[TrainedStage], seed: int = 0, raw: bool = True
) -> tuple[dict[str, dict[str, float]], dict[str, FeatureSet], list[str]]:
    """Scores of the clips alone (of raw coordinates where ``raw``, since they keep every clip in
    memory), of the first stage's model untrained and of each stage's encoder.

    The row of an encoder's published feature has its name, such as ``mamp``; those of its other
    features begin with it, as ``mamp_joints``. The seed is that of the untrained weights and of
    k-means.

    Returns:
        tuple: Row → scores; row → features of the query, the published ones of the encoders; and
        what :func:`lost_to` says of each stage.
    """
    for role in ROLES:
        reader.clips(role).labeled()  # or says that nothing can be judged
    results: dict[str, dict[str, float]] = {}
    queries = {}
    for row, features in clip_rows(reader, [*(RAW_ROWS if raw else ()), *GEOMETRY_ROWS]):
        results[row] = score(features, seed)
        print_log(f'{row}: {results[row]}', logger='current')
    fixed = dict(results)
    by_encoder: dict[str, dict[str, dict]] = {}
    for stage in (None, *stages):
        if stage is None:
            name, rows = 'random', reader.read_random(seed, stages[0].cfg)
        else:
            name, rows = stage.row, reader.read_encoder(stage.encoder, stage.cfg)
        by_encoder[name] = {}
        for space, features in rows.items():
            row = name if space == PUBLISHED else f'{name}_{space}'
            results[row] = score(features, seed)
            by_encoder[name][space] = dict(scores=results[row])
            print_log(f'{row}: {results[row]}', logger='current')
        queries[name] = rows[PUBLISHED]['query']
    random = by_encoder.pop('random')
    lost = [
        f'{row_title(name)}: {sentence}'
        for name, spaces in by_encoder.items()
        for sentence in lost_to(fixed, dict(random=random, checkpoint=spaces))
    ]
    return results, queries, lost


def describe(reader: FeatureReader, stages: list[TrainedStage], seed: int) -> dict:
    """What the numbers rest on, for the ``meta`` entry of the results."""
    bank, query = (reader.clips(role).labeled() for role in ROLES)
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
