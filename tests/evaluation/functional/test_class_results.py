import json
from collections import Counter

import numpy as np
import pytest
import torch

from stars_mm.evaluation.functional.class_results import (
    NUM_NEIGHBORS,
    class_results,
    class_title,
    find_neighbors,
    frequent_confusions,
    named_predictions,
    worst_classes,
)

CLASSES = ['walk', 'sit', 'wave', 'run', 'wave']


def test_counts_are_those_of_a_loop():
    """Classes 0, 1, 2 and 3; nobody of class 4, and none of class 3 was asked for."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, size=60)
    predicted = np.where(rng.random(60) < 0.6, labels, rng.integers(0, 4, size=60))
    names = [f'clip{n}' for n in range(60)]
    found = class_results(names, labels, predicted, CLASSES)
    assert found['classes'] == ['walk', 'sit', 'wave (class 2)', 'run']
    counts = Counter(zip(labels.tolist(), predicted.tolist()))
    assert found['confusion'] == [[counts[row, col] for col in range(4)] for row in range(4)]
    for number, row in enumerate(found['per_class']):
        own = [p for p, label in zip(predicted, labels) if label == number]
        accuracy = 100 * sum(p == number for p in own) / len(own) if own else None
        assert row == dict(name=found['classes'][number], clips=len(own), accuracy=row['accuracy'])
        assert row['accuracy'] == (accuracy and pytest.approx(accuracy, abs=0.01))
    wrong = [n for n in range(60) if labels[n] != predicted[n]]
    assert [told['name'] for told in found['mistakes']] == [f'clip{n}' for n in wrong]
    first = found['mistakes'][0]
    assert first['label'] == found['classes'][labels[wrong[0]]] and first['neighbours'] == []
    assert first['predicted'] == found['classes'][predicted[wrong[0]]]
    assert json.loads(json.dumps(found)) == found


def test_classes_without_names():
    assert class_title(7, None) == class_title(7, CLASSES) == 'class 7'
    assert class_results(['a'], [60], [119])['classes'] == ['class 60', 'class 119']


def test_neighbors_are_the_nearest_by_cosine():
    rng = np.random.default_rng(1)
    bank, query = rng.normal(size=(9, 4)), rng.normal(size=(6, 4))
    labels = np.arange(9) % 3
    names = [f'bank{n}' for n in range(9)]
    feats = torch.from_numpy(bank), torch.from_numpy(query)
    neighbors = find_neighbors(feats[0], names, labels, feats[1])
    told = named_predictions('abcdef', [0] * 6, [1] * 6, CLASSES, neighbors)
    for row, entry in zip(query, told):
        cosine = bank @ row / np.linalg.norm(bank, axis=1) / np.linalg.norm(row)
        order = np.argsort(-cosine)[:NUM_NEIGHBORS]
        assert entry['neighbours'] == [
            dict(
                name=f'bank{n}',
                label=['walk', 'sit', 'wave (class 2)'][n % 3],
                similarity=pytest.approx(cosine[n], abs=1e-4),
            )
            for n in order
        ]
    few = find_neighbors(feats[0][:2], names[:2], labels[:2], feats[1])
    assert few.places.shape == (6, 2)


def test_worst_and_most_frequent():
    labels = [0] * 10 + [1] * 4 + [2] * 2
    predicted = [0] * 7 + [1, 1, 2] + [1, 0, 0, 0] + [2, 2]
    found = class_results(list(map(str, range(16))), labels, predicted, ['a', 'b', 'c'])
    assert [(row['name'], row['accuracy']) for row in worst_classes(found)] == [
        ('b', 25),
        ('a', 70),
    ]
    assert worst_classes(found, 1)[0]['name'] == 'b'
    assert frequent_confusions(found) == [('b', 'a', 3), ('a', 'b', 2), ('a', 'c', 1)]
    assert frequent_confusions(found, 1) == [('b', 'a', 3)]


def test_as_many_names_as_clips():
    with pytest.raises(ValueError, match='zip'):
        class_results(['a'], [0, 1], [0, 1])
