import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from stars_mm.evaluation.functional import (
    draw_exemplars,
    few_shot,
    few_shot_accuracy,
    mean_and_interval,
)

SHOTS = (1, 2, 4)


@pytest.fixture
def data():
    """Four overlapping classes, 3, 5, 6 and 11; names in another order."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([3, 5, 6, 11])[torch.arange(110) % 4]
    feats = torch.randn(110, 8, generator=generator)
    feats += 1.5 * torch.eye(12, 8)[labels]
    feats *= 10 ** torch.rand(110, 1, generator=generator)
    order = torch.randperm(110, generator=generator)
    feats, labels = feats[order], labels[order]
    names = [f'clip{n:03d}' for n in torch.randperm(70, generator=generator).tolist()]
    return dict(
        names=names, bank=feats[:70], bank_labels=labels[:70], query=feats[70:], labels=labels[70:]
    )


def cosine(a, b) -> float:
    return math.fsum(x * y for x, y in zip(a, b)) / (math.hypot(*a) * math.hypot(*b))


def accuracy_by_hand(data, draw, shots, kind) -> float:
    """One query at a time, one class at a time."""
    bank = data['bank'].double().tolist()
    hits = asked = 0
    for q, truth in zip(data['query'].double().tolist(), data['labels'].tolist()):
        if truth not in draw:
            continue
        asked += 1
        best, answer = -2.0, None
        for label in sorted(draw):
            examples = [bank[place] for place in draw[label][:shots]]
            if kind == 'mean':
                units = [[x / math.hypot(*e) for x in e] for e in examples]
                examples = [[sum(column) / shots for column in zip(*units)]]
            views = q if isinstance(q[0], list) else [q]
            score = max(cosine(view, example) for view in views for example in examples)
            if score > best:
                best, answer = score, label
        hits += answer == truth
    return 100 * hits / asked


@pytest.mark.parametrize('ways', [None, 3])
def test_accuracy_against_loops(data, ways):
    draws = draw_exemplars(
        data['bank_labels'].tolist(), data['names'], 4, episodes=5, ways=ways, seed=1
    )
    given = data['bank'], data['query'], data['labels'], draws, SHOTS
    found = few_shot_accuracy(*given)
    assert list(found) == [(kind, n) for kind in ('exemplar', 'mean') for n in SHOTS]
    for (kind, n), values in found.items():
        assert values == pytest.approx([accuracy_by_hand(data, draw, n, kind) for draw in draws])
        assert len(set(values)) > 1 and 30 < min(values) < 95
    assert few_shot_accuracy(*given, chunk_size=7) == found
    only = few_shot_accuracy(*given, classifiers=('mean',))
    assert only == {key: found[key] for key in found if key[0] == 'mean'}


def test_the_most_similar_of_several_views_counts(data, monkeypatch):
    """And examples are compared some at a time."""
    monkeypatch.setattr(few_shot, '_EXAMPLES', 5)
    draws = draw_exemplars(data['bank_labels'].tolist(), data['names'], 2, episodes=3)
    data['query'] = torch.stack([data['query'], data['query'].roll(3, dims=1)], dim=1)
    found = few_shot_accuracy(data['bank'], data['query'], data['labels'], draws, (1, 2))
    for (kind, n), values in found.items():
        assert values == pytest.approx([accuracy_by_hand(data, draw, n, kind) for draw in draws])


def test_draws(data):
    """What they depend on: not the order of the clips, the other classes, the shots."""
    labels, names = data['bank_labels'].tolist(), data['names']

    def draw(chosen=range(70), shots=4, **options) -> list:
        own = [names[n] for n in chosen]
        found = draw_exemplars([labels[n] for n in chosen], own, shots, **options)
        return [{k: [own[place] for place in v] for k, v in one.items()} for one in found]

    draws = draw(episodes=20, seed=3)
    assert len(draws) == 20
    for one in draws:
        assert list(one) == [3, 5, 6, 11]
        for label, drawn in one.items():
            assert len(set(drawn)) == 4
            assert {labels[names.index(name)] for name in drawn} == {label}
    drawn = Counter(name for one in draws for own in one.values() for name in own)
    assert len(drawn) > 60 and max(drawn.values()) < 15
    other = draw(episodes=20, seed=4)
    assert all(ours not in (theirs, after) for ours, theirs, after in zip(draws, other, draws[1:]))

    assert draw(range(69, -1, -1), episodes=7, seed=3) == draws[:7]
    few = [{label: own[:2] for label, own in one.items()} for one in draws]
    assert draw(shots=2, episodes=20, seed=3) == few
    some = [n for n, label in enumerate(labels) if label in (5, 11)]
    alone = [{label: one[label] for label in (5, 11)} for one in draws]
    assert draw(some, episodes=20, seed=3) == alone
    ways = draw(ways=2, episodes=20, seed=3)
    assert all(len(own) == 2 and own.items() <= whole.items() for own, whole in zip(ways, draws))
    assert len({tuple(one) for one in ways}) > 2


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(shots=20), r'20 shots .* class 3 has: \d+ clips. 3 of 4 .* for 1\d shots at most'),
        (dict(shots=1, ways=5), 'ways=5 must .* number of classes, 4'),
        (dict(shots=1, ways=1), 'ways=1 must lie between 2'),
    ],
)
def test_draws_that_cannot_be(data, options, message):
    with pytest.raises(ValueError, match=message):
        draw_exemplars(data['bank_labels'].tolist(), data['names'], **options)


def test_interval():
    values = np.random.default_rng(0).normal(60, 5, size=30)
    mean, half = mean_and_interval(values.tolist())
    low, high = stats.t.interval(0.95, 29, loc=values.mean(), scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))
    mean, half = mean_and_interval([50.0])
    assert mean == 50 and math.isnan(half)
