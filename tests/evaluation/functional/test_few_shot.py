import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from stars_mm.evaluation.functional import draw_exemplars, few_shot_accuracy, mean_and_interval

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
            score = max(cosine(q, example) for example in examples)
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


def test_draws(data):
    labels, names = data['bank_labels'].tolist(), data['names']
    draws = draw_exemplars(labels, names, 4, episodes=20, seed=3)
    assert len(draws) == 20
    for draw in draws:
        assert list(draw) == [3, 5, 6, 11]
        for label, places in draw.items():
            assert len(set(places)) == 4
            assert {labels[place] for place in places} == {label}
    assert draws[:7] == draw_exemplars(labels, names, 4, episodes=7, seed=3)
    drawn = Counter(place for draw in draws for places in draw.values() for place in places)
    assert len(drawn) > 60 and max(drawn.values()) < 15
    other = draw_exemplars(labels, names, 4, episodes=20, seed=4)
    assert all(ours != theirs for ours, theirs in zip(draws, other))
    assert all(ours != theirs for ours, theirs in zip(draws, draws[1:]))


def named(draws, names) -> list:
    return [
        {label: [names[place] for place in places] for label, places in draw.items()}
        for draw in draws
    ]


def test_what_a_draw_does_not_depend_on(data):
    """The order of the clips, the other classes, the number of shots."""
    labels, names = data['bank_labels'].tolist(), data['names']
    wanted = named(draw_exemplars(labels, names, 4, 9), names)
    turned = named(draw_exemplars(labels[::-1], names[::-1], 4, 9), names[::-1])
    assert turned == wanted
    few = named(draw_exemplars(labels, names, 2, 9), names)
    assert few == [{label: own[:2] for label, own in draw.items()} for draw in wanted]
    some = [n for n, label in enumerate(labels) if label in (5, 11)]
    its_names = [names[n] for n in some]
    alone = named(draw_exemplars([labels[n] for n in some], its_names, 4, 9), its_names)
    assert alone == [{label: draw[label] for label in (5, 11)} for draw in wanted]
    ways = named(draw_exemplars(labels, names, 4, 9, ways=2), names)
    assert all(len(own) == 2 and own.items() <= whole.items() for own, whole in zip(ways, wanted))
    assert len({tuple(draw) for draw in ways}) > 2


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
