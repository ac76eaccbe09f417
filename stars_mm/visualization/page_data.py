"""What the page of a report shows, as plain values that JSON keeps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset

from stars_mm.engine.features import UNLABELED
from stars_mm.evaluation.functional import nearest_neighbors
from stars_mm.evaluation.protocols.features import ROLES, BankAndQuery, FeatureReader
from stars_mm.evaluation.protocols.results_table import format_measure, row_title
from stars_mm.evaluation.protocols.trained_stages import TrainedStage
from stars_mm.evaluation.protocols.training_log import TrainingLog
from stars_mm.visualization.clip_frames import (
    choose_clips,
    chosen_frames,
    pack_clip,
    packed,
    present_persons,
    recorded_clip,
    skeleton_of,
)
from stars_mm.visualization.curves import KNN_KEY
from stars_mm.visualization.masked_prediction import MaskedClip

NUM_NEIGHBORS = 3
#: Bytes of joint coordinates, before base64 makes four of three.
BUDGET = 24 << 20
_LARGEST = 32767  # of int16
_COLUMNS = {
    'knn_top1': 'kNN, k = 1 (%)',
    'knn_k5': 'k = 5 (%)',
    'knn_k10': 'k = 10 (%)',
    'nmi': 'NMI',
    'ari': 'ARI',
    'silhouette': 'silhouette',
}


def clip_data(reader: FeatureReader, names: Mapping[int, str]) -> dict[str, Any]:
    """The clips, those of the bank first: names, classes as places in ``classes``, −1 without."""
    bank, query = (reader.clips(role) for role in ROLES)
    return dict(
        names=[*bank.names, *query.names],
        bank=len(bank.names),
        labels=packed(_numbered([*bank.labels, *query.labels], names), 'int16'),
        classes=list(names.values()),
    )


@dataclass(frozen=True)
class Neighborhood:
    """What one row's features say of the clips, those of the bank first (N = B + Q)."""

    index: np.ndarray  #: places in the bank of each clip's nearest others, (N, K)
    similarity: np.ndarray  #: and their cosines, (N, K)
    predicted: np.ndarray  #: class of the nearest clip with a label, of the query, (Q, )

    @classmethod
    def of(cls, features: BankAndQuery) -> 'Neighborhood':
        """Compare features."""
        bank, query = features['bank'], features['query']
        labeled = bank.labeled()
        predicted = torch.full_like(query.labels, UNLABELED)
        if len(labeled.labels):
            nearest = nearest_neighbors(labeled.features, query.features, 1)[1]
            predicted = labeled.labels[nearest[:, 0]]
        k = min(NUM_NEIGHBORS, len(bank.labels) - 1)
        values, index = nearest_neighbors(bank.features, bank.features, k + 1)
        others = index != torch.arange(len(index))[:, None]
        others[others.all(1), -1] = False  # equals of a clip may all come before it
        own = values[others].view(-1, k), index[others].view(-1, k)
        more = nearest_neighbors(bank.features, query.features, k)
        if bank.names is not None and bank.names == query.names:  # the same clips
            more = own
        similarity, index = (torch.cat(pair).numpy() for pair in zip(own, more))
        return cls(index, similarity, predicted.numpy())


def space_data(
    row: str, places: np.ndarray, near: Neighborhood, names: Mapping[int, str]
) -> dict[str, Any]:
    """What is shown of one row's features: places on the map (N, 2), as int16, of each clip the
    nearest others in the bank, int32 (N, K), with their cosines, and of the query the predicted
    classes; clips and classes are numbered as in :func:`clip_data`."""
    places = places - (places.max(0) + places.min(0)) / 2
    places = places / max(float(np.abs(places).max()), 1e-9) * _LARGEST
    return dict(
        row=row,
        title=row_title(row),
        places=packed(np.round(places), 'int16'),
        neighbors=packed(near.index, 'int32'),
        similarity=packed(near.similarity, 'float32'),
        predicted=packed(_numbered(near.predicted, names), 'int16'),
        k=near.index.shape[1],
    )


def _numbered(labels: Iterable[int], names: Mapping[int, str]) -> list[int]:
    """Places of classes among their names, −1 of none."""
    order = {label: place for place, label in enumerate(names)}
    return [order.get(int(label), -1) for label in labels]


def movie_data(
    reader: FeatureReader, index: np.ndarray, wrong: np.ndarray, seed: int, budget: int = BUDGET
) -> dict[str, Any]:
    """The joints of as many clips as the budget of bytes allows: of the query, mistakes (bool, a
    clip of the query) and others in turns, each with its neighbors (B + Q, K)."""
    datasets = [reader.loader(role).dataset for role in ROLES]
    bank = len(datasets[0])
    total = bank + len(datasets[1])

    def read(clip: int) -> tuple[np.ndarray, Any]:
        dataset: BaseDataset = datasets[clip >= bank]
        return recorded_clip(dataset, clip - bank * (clip >= bank))

    joints, layout = read(bank)
    persons = max(len(present_persons(joints)), 1)
    size = persons * len(chosen_frames(joints.shape[1])) * joints.shape[2] * 3 * 2
    order = np.random.default_rng(seed).permutation(total - bank)
    order = order[np.argsort(_turns(wrong[order]))]
    queries = (bank + order).tolist()
    chosen = choose_clips([*queries, *range(bank)], lambda clip: index[clip].tolist(), size, budget)
    clips = {clip: pack_clip(read(clip)[0]) for clip in chosen}
    return dict(skeleton=skeleton_of(joints.shape[2], layout), clips=clips, total=total)


def _turns(wrong: np.ndarray) -> np.ndarray:
    """When the turn of each comes, if those that are wrong and those that are not take turns, a
    wrong one first."""
    return np.where(wrong, np.cumsum(wrong), np.cumsum(~wrong) + 0.5)


def result_data(results: Mapping[str, Mapping[str, float]], stages: Sequence[TrainedStage]) -> dict:
    """The table: columns, and rows in groups, each cell as text, with the value of the first."""
    shown = {
        key: title for key, title in _COLUMNS.items() if any(key in r for r in results.values())
    }
    encoders = [stage.row for stage in stages]

    def group(row: str) -> str:
        if any(row == name or row.startswith(f'{name}_') for name in encoders):
            return 'learned'
        return 'random' if row.startswith('random') else 'clips'

    rows = [
        dict(
            row=row,
            title=row_title(row),
            group=group(row),
            value=scores['knn_top1'],
            cells=[format_measure(scores.get(key), key) for key in shown],
        )
        for row, scores in results.items()
    ]
    return dict(columns=list(shown.values()), rows=rows)


def few_shot_data(results: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """The few-shot accuracy of the rows that have some, by number of shots."""
    curves = []
    for row, scores in results.items():
        shots = [
            int(key[9:-4]) for key in scores if key.startswith('exemplar_') and key.endswith('shot')
        ]
        if shots:
            means = [scores[f'exemplar_{n}shot'] for n in shots]
            spread = [scores.get(f'exemplar_{n}shot_ci95') for n in shots]
            curves.append(
                dict(row=row, title=row_title(row), shots=shots, mean=means, spread=spread)
            )
    return curves


def curve_data(stages: Sequence[tuple[str, TrainingLog, float]]) -> list[dict[str, Any]]:
    """Loss, learning rate and kNN of each stage: (iterations, values)."""

    def finite(series: tuple[list, list[float]]) -> list[list]:
        steps, values = series
        return [steps, [value if np.isfinite(value) else None for value in values]]

    return [
        dict(
            title=title,
            loss=finite(log.train_series('loss')),
            lr=finite(log.train_series('lr')),
            knn=finite(log.val_series(KNN_KEY, iters)),
        )
        for title, log, iters in stages
    ]


def masked_data(clips: Sequence[MaskedClip]) -> dict[str, Any]:
    """Recording, hidden joints and prediction of a few clips, in the model's own joints."""
    found = []
    for clip in clips:
        persons = present_persons(clip.true)
        frames = chosen_frames(clip.true.shape[1])
        true, guess = clip.true[persons], clip.predicted[persons]
        scale = float(max(np.abs(true).max(), np.abs(guess).max())) / _LARGEST
        found.append(
            dict(
                title=clip.title,
                m=len(persons),
                t=len(frames),
                frames=clip.true.shape[1],
                scale=scale,
                q=packed(np.round(true[:, frames] / scale), 'int16'),
                guess=packed(np.round(guess[:, frames] / scale), 'int16'),
                hidden=packed(clip.hidden[persons][:, frames], 'uint8'),
            )
        )
    return dict(clips=found)
