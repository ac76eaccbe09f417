"""Results by class, with names: who is recognized, who is taken for whom, and by whose example.

What is told of predictions is a plain dict, which JSON keeps::

    dict(
        classes=['walk', 'sit', …],   # those that clips are of or were taken for, by their number
        confusion=[[11, 1, …], …],    # clips of the row's class that were taken for the column's
        per_class=[dict(name='walk', clips=12, accuracy=91.67), …],     # in the order of classes
        mistakes=[
            dict(
                name='clip7',         # of the clip
                label='walk',         # the name of its class
                predicted='sit',      # the name of the class that it was taken for
                neighbours=[dict(name='clip3', label='sit', similarity=0.93), …],
            ),
            …                         # in the order of the clips
        ],
    )

``accuracy`` is in percent, None of a class that no clip is of. ``neighbours`` are the clips of the
bank with the largest cosine, the nearest first; there are none where no bank was compared with.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stars_mm.evaluation.functional.knn import nearest_neighbors
from stars_mm.utils.input_error import printable

#: So many neighbors are told of each clip.
NUM_NEIGHBORS = 5


class Neighbors(NamedTuple):
    """The nearest clips of a bank."""

    names: Sequence[str]  # of the bank's B clips
    labels: Sequence[int]  # of the bank's B clips
    places: np.ndarray  # places in the bank of the nearest of each of N clips, (N, k)
    similarity: np.ndarray  # and their cosine, (N, k)


def find_neighbors(
    bank_feats: Any, bank_names: Sequence[str], bank_labels: Sequence[int], query_feats: Any
) -> Neighbors:
    """The ``NUM_NEIGHBORS`` nearest of bank features (B, C), or as many as there are, of each of
    the query's (N, C); see :func:`nearest_neighbors`."""
    similarity, index = nearest_neighbors(
        bank_feats, query_feats, min(NUM_NEIGHBORS, len(bank_feats))
    )
    return Neighbors(bank_names, bank_labels, index.numpy(), similarity.numpy())


def class_title(label: int, class_names: Sequence[str] | None) -> str:
    """The name of a class, 'class 3' where none is known; with its number where it is that of
    another class, too. A negative label is that of a clip without one."""
    if label < 0:
        return 'no label'
    if class_names is None or not 0 <= label < len(class_names):
        return f'class {label}'
    name = str(class_names[label])
    title = printable(name)
    return title if list(class_names).count(name) == 1 else f'{title} (class {label})'


def named_predictions(
    names: Sequence[str],
    labels: Sequence[int] | np.ndarray,
    predicted: Sequence[int] | np.ndarray,
    class_names: Sequence[str] | None = None,
    neighbors: Neighbors | None = None,
) -> list[dict]:
    """What was predicted of each clip, as the ``mistakes`` of this module's format are told.

    Args:
        names (Sequence[str]): Of N clips.
        labels (Sequence[int]), predicted (Sequence[int]): The class of each, and the one that it
            was taken for, (N, ).
        class_names (Sequence[str], optional): In the order of the classes' numbers.
        neighbors (Neighbors, optional): The nearest of each clip.
    """
    numbers = {int(n) for n in labels} | {int(n) for n in predicted}
    if neighbors is not None:
        numbers |= {int(n) for n in neighbors.labels}
    titles = {number: class_title(number, class_names) for number in numbers}
    found: list[dict[str, Any]] = [
        dict(name=str(name), label=titles[int(label)], predicted=titles[int(taken)], neighbours=[])
        for name, label, taken in zip(names, labels, predicted, strict=True)
    ]
    if neighbors is not None:
        rows = zip(found, neighbors.places, neighbors.similarity, strict=True)
        for prediction, places, similarity in rows:
            prediction['neighbours'] = [
                dict(
                    name=str(neighbors.names[place]),
                    label=titles[int(neighbors.labels[place])],
                    similarity=round(float(value), 4),
                )
                for place, value in zip(places, similarity)
            ]
    return found


def class_results(
    names: Sequence[str],
    labels: Sequence[int] | np.ndarray,
    predicted: Sequence[int] | np.ndarray,
    class_names: Sequence[str] | None = None,
    neighbors: Neighbors | None = None,
) -> dict[str, Any]:
    """Results by class in this module's format; the arguments are those of
    :func:`named_predictions`."""
    from sklearn.metrics import confusion_matrix

    labels, predicted = np.asarray(labels), np.asarray(predicted)
    numbers = np.union1d(labels, predicted)
    titles = [class_title(int(number), class_names) for number in numbers]
    confusion = confusion_matrix(labels, predicted, labels=numbers)
    clips, right = confusion.sum(axis=1), confusion.diagonal()
    predictions = named_predictions(names, labels, predicted, class_names, neighbors)
    return dict(
        classes=titles,
        confusion=confusion.tolist(),
        per_class=[
            dict(name=title, clips=int(n), accuracy=round(100 * r / n, 2) if n else None)
            for title, n, r in zip(titles, clips.tolist(), right.tolist())
        ],
        mistakes=[told for told in predictions if told['label'] != told['predicted']],
    )


def worst_classes(results: dict[str, Any], count: int = 5) -> list[dict]:
    """The classes of ``per_class`` of the least accuracy, the worst first, without those of which
    every clip is recognized."""
    known = [row for row in results['per_class'] if row['clips'] and row['accuracy'] < 100]
    return sorted(known, key=lambda row: row['accuracy'])[:count]


def frequent_confusions(results: dict[str, Any], count: int = 5) -> list[tuple[str, str, int]]:
    """Class, the class that its clips are taken for, and how many of them: the most frequent
    first."""
    classes = results['classes']
    found = [
        (classes[row], classes[column], clips)
        for row, counts in enumerate(results['confusion'])
        for column, clips in enumerate(counts)
        if clips and row != column
    ]
    return sorted(found, key=lambda entry: -entry[2])[:count]
