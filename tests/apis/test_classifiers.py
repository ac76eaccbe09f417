"""Classifiers of a few examples against scikit-learn and loops."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import RidgeClassifierCV
from sklearn.neighbors import KNeighborsClassifier

from stars_mm.apis.classifiers import CLASSIFIERS, choose_classifier, left_out_scores
from stars_mm.apis.rejection import similarity_threshold
from stars_mm.evaluation.functional.ridge import ALPHAS


@pytest.fixture(params=[2, 4])
def problem(request):
    torch.manual_seed(request.param)
    labels = torch.arange(request.param).repeat(5)
    centers = torch.randn(request.param, 12)
    examples = F.normalize(centers[labels] + 0.8 * torch.randn(len(labels), 12))
    queries = F.normalize(centers.repeat(6, 1) + 0.8 * torch.randn(6 * request.param, 12))
    return examples, labels, queries, request.param


def test_nearest_example_is_that_of_scikit_learn(problem):
    examples, labels, queries, K = problem
    scores = CLASSIFIERS['nearest-example'](examples, labels, K)(queries)
    oracle = KNeighborsClassifier(1, metric='cosine').fit(examples, labels)
    assert scores.argmax(1).tolist() == oracle.predict(queries).tolist()
    distance, _ = oracle.kneighbors(queries)
    np.testing.assert_allclose(scores.amax(1), 1 - distance[:, 0], atol=1e-6)


def test_class_mean_in_a_loop(problem):
    examples, labels, queries, K = problem
    scores = CLASSIFIERS['class-mean'](examples, labels, K)(queries)
    for k in range(K):
        mean = examples[labels == k].mean(0)
        expected = queries @ mean / mean.norm()
        torch.testing.assert_close(scores[:, k], expected)


def test_linear_is_that_of_scikit_learn(problem):
    examples, labels, queries, K = problem
    scores = CLASSIFIERS['linear'](examples, labels, K)(queries)
    mean = examples.double().mean(0).numpy()
    scale = np.sqrt(((examples.double().numpy() - mean) ** 2).mean())
    oracle = RidgeClassifierCV(ALPHAS).fit((examples.double().numpy() - mean) / scale, labels)
    found = oracle.decision_function((queries.double().numpy() - mean) / scale)
    if K == 2:
        found = np.stack([-found, found], 1)
    np.testing.assert_allclose(scores, (found + 1) / 2, atol=1e-5)


@pytest.mark.parametrize('name', CLASSIFIERS)
def test_left_out_scores_do_not_see_the_example(problem, name):
    examples, labels, _, K = problem
    found = left_out_scores(name, examples, labels, K)
    for n in range(len(labels)):
        kept = torch.arange(len(labels)) != n
        one = CLASSIFIERS[name](examples[kept], labels[kept], K)(examples[n : n + 1])
        torch.testing.assert_close(found[n : n + 1], one)


def test_choice_goes_to_the_best():
    """Two rings around each other: no mean and no line parts them, the nearest example does."""
    angle = torch.linspace(0, 2 * torch.pi, 13)[:-1]
    labels = torch.tensor([0, 0, 0, 1, 1, 1] * 2)
    ring = torch.stack([angle.cos(), angle.sin()], 1)
    name, accuracy = choose_classifier(ring, labels, 2)
    assert name == 'nearest-example' and accuracy['nearest-example'] > accuracy['class-mean']
    # two lines close to each other, sparse along them: a plane lies between
    t = torch.linspace(-1, 1, 16)
    labels = torch.arange(2).repeat(8)
    lines = torch.stack([0.05 * (2.0 * labels - 1), t, torch.ones(16)], 1)
    name, accuracy = choose_classifier(F.normalize(lines), labels, 2)
    assert name == 'linear' and accuracy['linear'] == 100


def test_single_examples_leave_no_choice():
    assert choose_classifier(torch.eye(3), torch.arange(3), 3) == ('nearest-example', {})
    scores = CLASSIFIERS['linear'](torch.eye(3), torch.arange(3), 3)(torch.eye(3))
    torch.testing.assert_close(scores, torch.eye(3))


def test_threshold_in_a_loop():
    torch.manual_seed(0)
    labels = torch.arange(3).repeat_interleave(4)
    examples = F.normalize(torch.randn(12, 6) + 2 * F.one_hot(labels, 6))
    own, other = [], []
    for i in range(12):
        similar = [(float(examples[i] @ examples[j]), j) for j in range(12) if j != i]
        own.append(max(s for s, j in similar if labels[j] == labels[i]))
        other.append(max(s for s, j in similar if labels[j] != labels[i]))
    median = sorted(other)[5]  # torch's median is the lower of the two in the middle
    expected = min(np.quantile(own, 0.05), median)
    assert similarity_threshold(examples, labels) == pytest.approx(expected, abs=1e-6)


def test_threshold_of_single_examples():
    torch.manual_seed(0)
    examples = F.normalize(torch.randn(4, 3))
    near = (examples @ examples.t() - 3 * torch.eye(4)).amax(1)
    found = similarity_threshold(examples, torch.arange(4))
    assert found == pytest.approx(np.quantile(near, 0.1), abs=1e-6)
    assert similarity_threshold(examples[:1], torch.zeros(1, dtype=torch.long)) == -1
    alone = similarity_threshold(examples, torch.zeros(4, dtype=torch.long))
    assert alone == pytest.approx(np.quantile(near, 0.05), abs=1e-6)
