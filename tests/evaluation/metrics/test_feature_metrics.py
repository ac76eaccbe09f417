import pytest
import torch
from mmaction.registry import METRICS
from mmaction.structures import ActionDataSample
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from stars_mm.engine.features import ClipList, FeatureSet
from stars_mm.evaluation.functional import cluster_scores, clusters, knn_accuracy
from stars_mm.evaluation.metrics import knn_metric


def samples(feats, labels, role, indices=None) -> list:
    found = []
    for index in range(len(feats)) if indices is None else indices:
        sample = ActionDataSample(metainfo=dict(sample_idx=index, role=role))
        found.append(sample.set_gt_label(int(labels[index])))
        sample.feature = feats[index]
    return found


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    feats = torch.randn(30, 6, generator=generator)
    return feats[:20], torch.arange(20) % 3, feats[20:], torch.arange(10) % 3


def test_metrics_read_bank_and_query(data):
    """Batches of mixed sizes, out of order, some samples twice."""
    bank, bank_labels, query, labels = data
    metrics = (
        dict(type='KNNMetric', topk_neighbors=(1, 5)),
        dict(type='KNNMetric', topk_neighbors=(5,), temperature=0.1),
        dict(type='KNNMetric', topk_neighbors=(2,), prefix='mine'),
        dict(type='ClusterMetric', seed=2),
    )
    evaluator = Evaluator([METRICS.build(cfg) for cfg in metrics])
    batches = [
        samples(bank, bank_labels, 'bank', range(12, 20)),
        samples(bank, bank_labels, 'bank', range(12)),
        samples(bank, bank_labels, 'bank', [0, 1]),  # padding of a sampler
        samples(query, labels, 'query', [9, 3]),
        samples(query, labels, 'query', range(10)),
    ]
    for batch in batches:
        evaluator.process(data_samples=batch)

    given = (bank, bank_labels, query, labels)
    uniform = knn_accuracy(*given, ks=(1, 2, 5))
    weighted = knn_accuracy(*given, ks=(5,), temperature=0.1)
    wanted = {
        'knn/top1_k1': uniform['top1_k1'],
        'knn/top1_k5': uniform['top1_k5'],
        'knn_weighted/top1_k5': weighted['top1_k5'],
        'mine/top1_k2': uniform['top1_k2'],
        **{f'cluster/{key}': value for key, value in cluster_scores(query, labels, 2).items()},
    }
    assert evaluator.evaluate(size=100) == pytest.approx(wanted)


@pytest.mark.parametrize('world_size', [3, 11])  # of 11 one has no clip
def test_processes_share_the_query(data, monkeypatch, world_size):
    """The hits of their shares, counted together, are those of one."""
    sent = []
    monkeypatch.setattr(knn_metric, 'all_reduce', sent.append)
    metric = METRICS.build(dict(type='KNNMetric', topk_neighbors=(5, 1)))
    bank, query = (
        FeatureSet(feats, labels, torch.arange(len(labels)))
        for feats, labels in (data[:2], data[2:])
    )
    for rank in range(world_size):
        with monkeypatch.context() as patch:
            patch.setattr(knn_metric, 'get_dist_info', lambda: (rank, world_size))
            metric.compute(bank, query)
    whole = metric.compute(bank, query)
    assert list(whole) == ['top1_k5', 'top1_k1']
    assert whole == knn_accuracy(*data, ks=(5, 1))
    assert len(sent) == world_size
    assert (sum(sent) / 10 * 100).tolist() == pytest.approx(list(whole.values()))
    assert sum(bool(hits.any()) for hits in sent) > 1


def test_features_that_cannot_be_judged(data):
    evaluator = Evaluator(METRICS.build(dict(type='KNNMetric')))
    bank, bank_labels, query, labels = data
    query[[3, 7], 1] = torch.tensor([float('nan'), float('inf')])
    evaluator.process(data_samples=samples(query, labels, 'query'))
    with pytest.raises(ValueError, match='no features of the bank.*Feature'):
        evaluator.evaluate(size=10)
    evaluator.process(data_samples=samples(bank, bank_labels, 'bank'))
    evaluator.process(data_samples=samples(query, labels, 'query'))
    with pytest.raises(ValueError, match='2 of 10 .* query .* clip 3 is the'):
        evaluator.evaluate(size=30)


@pytest.mark.parametrize(
    'bank, query, message',
    [
        (
            [0, 1, 2],
            [0, 3, 4, 3],
            r'2 classes of the test .* the train split: run, 4; it has walk, sit, 2\..*`labels`',
        ),
        ([0, 1], [0, 1], r'\(1, 3\) are more than the 2 clips .* the train'),
    ],
)
def test_clips_that_neighbors_cannot_judge(bank, query, message):
    metric = METRICS.build(dict(type='KNNMetric', topk_neighbors=(1, 3)))
    bank = ClipList(list('abcd')[: len(bank)], bank, 'the train split', ['walk', 'sit'])
    names = ['walk', 'sit', 'wave', 'run']
    with pytest.raises(ValueError, match=message):
        metric.prepare(bank, ClipList(list('efgh')[: len(query)], query, 'the test split', names))


def test_what_neighbors_take_for_what_is_logged(monkeypatch):
    """In the names of the data set."""
    metric = METRICS.build(dict(type='KNNMetric', topk_neighbors=(1,)))
    metric.dataset_meta = dict(classes=['walk', 'sit'])
    feats = torch.eye(4)
    bank = FeatureSet(feats, torch.tensor([0, 0, 1, 1]), torch.arange(4))
    query = FeatureSet(feats, torch.tensor([0, 1, 1, 1]), torch.arange(4))
    lines = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'info', lines.append)
    assert metric.compute(bank, query) == dict(top1_k1=75.0)
    wanted = 'knn, k = 1: least recognized sit 66.7 %; most often taken for another sit → walk (1)'
    assert lines[-1] == wanted


@pytest.mark.slow
@pytest.mark.parametrize('number', [2, 3])
def test_processes_share_all_metrics(ranks, monkeypatch, number):
    """They say what one says, to the last digit, and each does a part of the work alone."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(61) % 4
    feats = torch.randn(61, 6, generator=generator) + torch.eye(6)[labels]
    names = [f'clip{n}' for n in range(40)]
    bank = FeatureSet(feats[:40], labels[:40], torch.arange(40), names)
    query = FeatureSet(feats[40:], labels[40:], torch.arange(21))
    metrics = [
        METRICS.build(cfg)
        for cfg in (
            dict(type='KNNMetric', topk_neighbors=(1, 5)),
            dict(type='FewShotMetric', shots=(1, 3), episodes=4),
            dict(type='ClusterMetric'),
            dict(type='RidgeMetric', draws=4),
        )
    ]
    monkeypatch.setattr(clusters, '_PART', 5)  # of the query's 21 clips
    alone = [metric.compute(bank, query) for metric in metrics]

    def own_of(whole, rank) -> FeatureSet:
        fields = (whole.features, whole.labels, whole.sample_idx, whole.names)
        return FeatureSet(*(None if field is None else field[rank::number] for field in fields))

    def judge(rank) -> list:
        fits = []
        fit = KMeans.fit
        KMeans.fit = lambda self, *args: fits.append(1) or fit(self, *args)
        found = []
        for metric in metrics:
            metric.results = [('query', own_of(query, rank)), ('bank', own_of(bank, rank))]
            found.append(metric.evaluate(size=61))
        return [found, len(fits)]

    found = ranks(judge, number)
    for scores, _ in found:
        for metric, own, wanted in zip(metrics, scores, alone):
            assert own == {f'{metric.prefix}/{key}': value for key, value in wanted.items()}
    assert [fits for _, fits in found] == {2: [5, 5], 3: [4, 3, 3]}[number]


def test_k_means_in_ten_calls_is_that_of_one():
    feats = torch.randn(90, 5, generator=torch.Generator().manual_seed(2)).numpy()
    for seed in range(3):
        wanted = KMeans(7, n_init=10, random_state=seed).fit_predict(feats)
        assert adjusted_rand_score(clusters.k_means(feats, 7, seed), wanted) == 1
