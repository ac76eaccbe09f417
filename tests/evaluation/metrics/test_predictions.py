"""What a test writes of each clip."""

import json

import numpy as np
import pytest
import torch
from mmaction.registry import METRICS
from mmengine.evaluator import Evaluator
from sklearn.neighbors import KNeighborsClassifier

CLASSES = ['walk', 'sit', 'wave']


@pytest.fixture
def evaluator(tmp_path):
    def _evaluator(kind) -> Evaluator:
        metric = METRICS.build(dict(type=kind, out_file_path=str(tmp_path / 'out.json')))
        found = Evaluator(metric)
        found.dataset_meta = dict(classes=CLASSES)
        return found

    return _evaluator


def samples(feats, labels, role, start=0) -> list[dict]:
    return [
        dict(
            feature=feature,
            gt_label=torch.tensor([label]),
            sample_idx=start + n,
            frame_dir=f'{role}{start + n}',
            role=role,
        )
        for n, (feature, label) in enumerate(zip(feats, labels))
    ]


def test_of_features(evaluator, tmp_path):
    """The padding of a distributed sampler comes once."""
    torch.manual_seed(0)
    bank, query = torch.randn(12, 4), torch.randn(7, 4)
    bank_labels, labels = np.arange(12) % 3, np.arange(7) % 3
    both = evaluator('FeaturePredictions')
    both.process(data_samples=samples(bank, bank_labels, 'bank'))
    both.process(data_samples=samples(query[4:], labels[4:], 'query', start=4))
    both.process(data_samples=samples(query[:5], labels[:5], 'query'))
    assert both.evaluate(size=20) == {}
    found = json.loads((tmp_path / 'out.json').read_text())
    oracle = KNeighborsClassifier(5, metric='cosine').fit(bank, bank_labels)
    distances, places = oracle.kneighbors(query)
    assert len(found['predictions']) == 7
    for n, told in enumerate(found['predictions']):
        assert told['name'] == f'query{n}' and told['label'] == CLASSES[labels[n]]
        assert told['predicted'] == CLASSES[bank_labels[places[n, 0]]]
        assert [near['name'] for near in told['neighbours']] == [f'bank{p}' for p in places[n]]
        similarity = [near['similarity'] for near in told['neighbours']]
        assert similarity == pytest.approx((1 - distances[n]).tolist(), abs=1e-4)
    wrong = [told for told in found['predictions'] if told['label'] != told['predicted']]
    assert wrong and found['mistakes'] == wrong
    assert np.sum(found['confusion']) == 7 and found['classes'] == CLASSES


def test_of_a_classifier(evaluator, tmp_path):
    scores = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0.0, 0.1, 0.9]])
    clips = [
        dict(pred_score=row, gt_label=torch.tensor([n]), sample_idx=n, frame_dir=f'c{n}')
        for n, row in enumerate(scores)
    ]
    one = evaluator('ClassifierPredictions')
    one.process(data_samples=clips[1:])
    one.process(data_samples=clips[:2])  # padded
    assert one.evaluate(size=4) == {}
    found = json.loads((tmp_path / 'out.json').read_text())
    told = [(p['name'], p['label'], p['predicted']) for p in found['predictions']]
    assert told == [('c0', 'walk', 'sit'), ('c1', 'sit', 'walk'), ('c2', 'wave', 'wave')]
    assert found['confusion'] == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert [row['accuracy'] for row in found['per_class']] == [0, 0, 100]
