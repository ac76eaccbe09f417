"""Scores for a report: the clips alone, a random encoder, every stage of a run."""

from collections import Counter
from pathlib import Path

from mmengine.logging import print_log

from stars_mm.engine.features import UNLABELED, ClipList
from stars_mm.evaluation.functional import (
    cluster_scores,
    draw_exemplars,
    few_shot_accuracy,
    knn_accuracy,
    mean_and_interval,
)
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
_SHOTS = (1, 2, 5, 10)
_DRAWS = 20
_HOW = (
    'uniform vote, last epoch of every stage. NMI and ARI compare k-means with the classes, '
    'silhouette is that of the classes under cosine distance; all on the query. Raw rows take the '
    "test pipeline's output as it is."
)


def score(features: BankAndQuery, seed: int = 0) -> dict[str, float]:
    """Scores of the features of ``bank`` and ``query``: ``knn_top1`` (k = 1) and ``knn_k2`` … in
    percent, and those of :func:`cluster_scores`, where there are two classes and more clips than
    classes (not of several views of the query); the seed is that of k-means."""
    bank, query = (features[role].labeled() for role in ROLES)
    ks = [k for k in _KS if k <= len(bank.labels)]
    knn = knn_accuracy(bank.features, bank.labels, query.features, query.labels, ks)
    scores = {'knn_top1' if k == 1 else f'knn_k{k}': knn[f'top1_k{k}'] for k in ks}
    if query.features.dim() == 2 and 2 <= len(query.labels.unique()) < len(query.labels):
        scores.update(cluster_scores(query.features, query.labels, seed))
    return {name: round(value, 4) for name, value in scores.items()}


def few_shot_scores(
    bank_clips: ClipList, features: BankAndQuery, seed: int = 0
) -> dict[str, float]:
    """Accuracy in percent by the nearest of 1, 2, 5 and 10 examples a class, ``exemplar_1shot`` …,
    as far as each class of the bank has so many: the mean over 20 draws, and half the width of its
    95 % interval, ``exemplar_1shot_ci95`` …. The seed is that of the draws."""
    labels, query = bank_clips.labels, features['query'].labeled()
    asked = set(query.labels.tolist())
    counts = Counter(label for label in labels if label in asked)
    shots = [n for n in _SHOTS if n <= min(counts.values(), default=0)]
    if len(counts) < max(len(asked), 2) or not shots:
        return {}
    places = [place for place, label in enumerate(labels) if label in asked]
    names = [f'{bank_clips.names[place]} {place}' for place in places]  # some share theirs
    draws = draw_exemplars([labels[n] for n in places], names, max(shots), _DRAWS, seed=seed)
    bank = features['bank'].features[places]
    found = few_shot_accuracy(bank, query.features, query.labels, draws, shots, ['exemplar'])
    scores = {}
    for (_, n), values in found.items():
        scores[f'exemplar_{n}shot'], scores[f'exemplar_{n}shot_ci95'] = mean_and_interval(values)
    return {name: round(value, 4) for name, value in scores.items()}


def score_stages(
    reader: FeatureReader, stages: list[TrainedStage], seed: int = 0, raw: bool = True
) -> tuple[dict[str, dict[str, float]], dict[str, BankAndQuery], list[str]]:
    """Scores of the clips alone (of raw coordinates where ``raw``, since they keep every clip in
    memory), of the first stage's model untrained and of each stage's encoder.

    The row of an encoder's published feature has its name, such as ``mamp``; those of its other
    features begin with it, as ``mamp_joints``. The seed is that of the untrained weights and of
    k-means and of the few-shot draws.

    Returns:
        tuple: Row → scores; row → features of those that are shown clip by clip: geometry, the
        published ones of the encoders, and the last one's with geometry, these with few-shot
        scores, too; and what :func:`lost_to` says of each stage. Where no clip of the bank, or none
        of the query, has a label, there are features alone.
    """
    labeled = has_labels(reader)
    results: dict[str, dict[str, float]] = {}
    shown: dict[str, BankAndQuery] = {}
    last = f'{stages[-1].row}_combined_pulled'

    def add(row: str, features: BankAndQuery, is_shown: bool) -> None:
        if is_shown:
            shown[row] = features
        if not labeled:
            return
        results[row] = score(features, seed)
        if is_shown:
            results[row].update(few_shot_scores(reader.clips('bank'), features, seed))
        print_log(f'{row}: {results[row]}', logger='current')

    for row, features in clip_rows(
        reader, [*(RAW_ROWS if raw and labeled else ()), *GEOMETRY_ROWS]
    ):
        add(row, features, row == 'geometry')
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
            add(row, features, space == PUBLISHED or row == last)
            by_encoder[name][space] = dict(scores=results.get(row))
    random = by_encoder.pop('random')
    lost = [
        f'{row_title(name)}: {sentence}'
        for name, spaces in by_encoder.items()
        if labeled
        for sentence in lost_to(fixed, dict(random=random, checkpoint=spaces))
    ]
    return results, shown, lost


def has_labels(reader: FeatureReader) -> bool:
    """Whether some clips of the bank and some of the query have a label."""
    return all(set(reader.clips(role).labels) - {UNLABELED} for role in ROLES)


def describe(reader: FeatureReader, stages: list[TrainedStage], seed: int) -> dict:
    """What the numbers rest on, for the ``meta`` entry of the results."""
    labeled = has_labels(reader)
    bank, query = (reader.clips(role) for role in ROLES)
    if labeled:
        bank, query = bank.labeled(), query.labeled()
    clips = dict(bank=len(bank.labels), query=len(query.labels))
    return dict(
        seed=seed,
        clips=clips,
        protocol=f'Nearest neighbors by cosine: bank {bank.source} ({clips["bank"]} clips), query '
        f'{query.source} ({clips["query"]} clips), '
        + (_HOW if labeled else 'of which none has a label: nothing is scored.'),
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
