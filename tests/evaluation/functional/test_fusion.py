"""Fusion of scores against loops, and its checks."""

import math

import pytest
import torch

from stars_mm.evaluation.functional.fusion import ClassScores, accuracies, fuse, nearest_scores


def make(names='abcd', K=3, labels=None, source='joint.pkl'):
    labels = [ord(name) % K for name in names] if labels is None else labels
    return ClassScores(list(names), torch.randn(len(names), K), torch.tensor(labels), source)


@pytest.mark.parametrize('softmax', [False, True])
def test_weighted_sum_by_name(softmax):
    joint, bone = make('abcd'), make('dbca', source='bone.pkl')
    fused = fuse([joint, bone], [1.0, 0.6], softmax)
    assert fused.names == joint.names
    assert torch.equal(fused.labels, joint.labels)
    for row, name in enumerate('abcd'):
        for k in range(3):
            total = 0
            for weight, stream in ((1.0, joint), (0.6, bone)):
                scores = stream.scores[stream.names.index(name)].tolist()
                if softmax:
                    scores = [math.exp(s) / sum(map(math.exp, scores)) for s in scores]
                total += weight * scores[k]
            assert fused.scores[row, k].item() == pytest.approx(total)


def test_accuracies_by_hand():
    scores = torch.tensor(
        [[9.0, 1, 2, 3, 4, 5], [9, 8, 7, 6, 5, 4], [1, 9, 2, 3, 4, 5], [1, 9, 2, 3, 4, 5]]
    )
    stream = ClassScores(list('abcd'), scores, torch.tensor([0, 5, 1, 5]), '')
    assert accuracies(stream) == pytest.approx(dict(top1=50, top5=75, mean_class=200 / 3))
    assert set(accuracies(make())) == {'top1', 'mean_class'}


def test_nearest_scores_in_loops():
    bank, query = torch.randn(9, 4), torch.randn(5, 4)
    labels = torch.tensor([0, 3, 1, 1, 0, 3, 3, 0, 1])
    found = nearest_scores(bank, labels, query, chunk_size=2)
    torch.testing.assert_close(found, nearest_scores(bank, labels, query))
    for q in range(5):
        cosine = torch.cosine_similarity(query[q], bank, dim=1)
        for k in range(4):
            expected = max(cosine[labels == k].tolist(), default=-1)
            assert found[q, k].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    'first, other, message',
    [
        ({}, dict(names='abcde'), 'joint.pkl lacks 1 of the 5 clips of bone.pkl, such as "e"'),
        ({}, dict(names='abc'), 'bone.pkl lacks 1 of the 4 clips of joint.pkl, such as "d"'),
        ({}, dict(K=4), 'joint.pkl has scores of 3 classes, bone.pkl of 4'),
        (
            dict(labels=[0, 1, 2, 0]),
            dict(labels=[0, 1, 1, 0]),
            'Clip "c" is of class 2 in joint.pkl and of class 1 in bone.pkl',
        ),
    ],
)
def test_streams_that_do_not_fit(first, other, message):
    with pytest.raises(ValueError, match=message):
        fuse([make(**first), make(**other, source='bone.pkl')])
    with pytest.raises(ValueError, match=r'1 weights \[1.0\] for 2 score files'):
        fuse([make(), make()], [1.0])


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(names=list('aba')), '"a" occurs 2 times'),
        (dict(names=list('ab')), '3 scores, 2 names and 3 labels'),
        (dict(labels=torch.tensor([0, 2, 1])), '"b" is of class 2, .* 0 to 1'),
        (dict(scores=torch.tensor([[0.0, 1], [0, 1], [math.nan, 1]])), 'clip "c" are not finite'),
    ],
)
def test_bad_scores(wrong, message):
    good = dict(names=list('abc'), scores=torch.zeros(3, 2), labels=torch.tensor([0, 1, 1]))
    with pytest.raises(ValueError, match=f'joint.pkl: .*{message}'):
        ClassScores(**{**good, **wrong}, source='joint.pkl')
