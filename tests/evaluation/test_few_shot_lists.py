"""Lists of few-shot examples, and the metric that writes and takes them."""

import json

import pytest
import torch
from mmaction.registry import METRICS

from stars_mm.engine.features import ClipList, FeatureSet
from stars_mm.evaluation.few_shot_lists import find_draws, read_draws
from stars_mm.evaluation.functional import draw_exemplars, few_shot_accuracy, mean_and_interval

BANK = [f'b{n:02d}' for n in range(30)]


@pytest.fixture
def data():
    labels = torch.arange(42) % 3
    feats = torch.randn(42, 6, generator=torch.Generator().manual_seed(0))
    feats[:, :3] += torch.eye(3)[labels]
    return feats[:30], labels[:30], feats[30:], labels[30:]


@pytest.fixture
def evaluate(data, tmp_path):
    """Runs the metric as a loop does."""

    def _evaluate(names=True, **options) -> dict:
        bank, bank_labels, query, labels = data
        metric = METRICS.build(dict(type='FewShotMetric', **options))
        clips = [ClipList(BANK, bank_labels.tolist(), 'a'), ClipList([], labels.tolist(), 'b')]
        metric.prepare(*clips, str(tmp_path / 'run'))
        bank = FeatureSet(bank, bank_labels, torch.arange(30), BANK if names else None)
        return metric.compute(bank, FeatureSet(query, labels, torch.arange(12)))

    return _evaluate


def test_metric_and_its_list(data, evaluate, tmp_path):
    found = evaluate(shots=(1, 3), episodes=8, seed=2)
    bank, bank_labels, query, labels = data
    draws = draw_exemplars(bank_labels.tolist(), BANK, 3, 8, seed=2)
    wanted = {}
    for (kind, n), values in few_shot_accuracy(bank, query, labels, draws, (1, 3)).items():
        mean, interval = mean_and_interval(values)
        wanted[f'{kind}_{n}shot'] = mean
        wanted[f'{kind}_{n}shot_ci95'] = interval
    assert found == pytest.approx(wanted)
    assert len(set(found.values())) > 4

    content = json.loads((tmp_path / 'run/fewshot_exemplars.json').read_text())
    assert content.pop('draws') == [
        {str(label): [BANK[n] for n in own] for label, own in draw.items()} for draw in draws
    ]
    del content['what']
    assert content == dict(seed=2, ways=None, episodes=8, shots=[1, 3])


def test_a_list_is_repeated(evaluate, tmp_path):
    """Whatever the seed, for fewer draws and shots too."""
    found = evaluate(shots=(1, 3), episodes=8, ways=2, seed=2)
    path = tmp_path / 'given.json'
    (tmp_path / 'run/fewshot_exemplars.json').rename(path)
    assert evaluate(shots=(1, 3), episodes=8, seed=7, exemplars=str(path)) == found
    assert not (tmp_path / 'run/fewshot_exemplars.json').exists()
    assert list(evaluate(shots=(2,), episodes=1)) == ['exemplar_2shot', 'mean_2shot']
    fewer = evaluate(shots=(3,), episodes=3, exemplars=str(path))
    assert fewer == evaluate(shots=(3,), episodes=3, ways=2, seed=2)
    with pytest.raises(KeyError, match="meta_keys=.*'frame_dir'"):
        evaluate(names=False)
    with pytest.raises(ValueError, match='ways=3: .* ways of its own'):
        evaluate(ways=3, exemplars=str(path))


def test_clips_that_cannot_be_drawn_from():
    metric = METRICS.build(dict(type='FewShotMetric'))
    for bank, query, message in (
        ([0, 1, 2] * 5, [0, 1], r'1 classes of the bank .* the query: 2\. .*`labels`'),
        ([0, 1] * 5, [0, 1, 7, 9], '2 classes of the query .* the bank: 7, 9'),
        ([0, 1, 0, 1, 1], [0, 1], 'the bank: 5 shots are more than class 0 has: 2 .* 2 of 2'),
    ):
        bank = ClipList([f'b{n}' for n in range(len(bank))], bank, 'the bank')
        query = ClipList([f'q{n}' for n in range(len(query))], query, 'the query')
        with pytest.raises(ValueError, match=message):
            metric.prepare(bank, query)
    bank.names[1] = bank.names[0]
    with pytest.raises(ValueError, match='1 clips of the bank share theirs'):
        metric.prepare(bank, bank)


def test_bad_options():
    for options, message in (
        (dict(shots=()), r'shots=\(\) must'),
        (dict(shots=(1, 1)), r'shots=\(1, 1\) must'),
        (dict(seed=-1), 'seed=-1 0 or more'),
        (dict(classifiers=('median',)), 'median.*choose'),
        (dict(ways=1), 'ways=1: at least 2'),
    ):
        with pytest.raises(ValueError, match=message):
            METRICS.build(dict(type='FewShotMetric', **options))


def test_files_of_another_kind(tmp_path):
    path = tmp_path / 'list.json'
    for text, message in (
        ('{', 'cannot be read .JSONDecodeError'),
        ('{"draws": []}', 'has no list "draws"'),
        ('{"draws": [{"0": ["a"], "1": ["b"]}, {"0": ["a"]}]}', 'draw 1 has no'),
        ('{"draws": [{"jump": [], "1": []}]}', "draw 0: 'jump' is not the number"),
        ('{"draws": [{"0": ["a"], "1": "b"}]}', "class 1: 'b' is no list"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=f'list.json.*{message}'):
            read_draws(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match='list.json.* no such file'):
        METRICS.build(dict(type='FewShotMetric', exemplars=str(path)))


def test_lists_of_other_data():
    good, labels = {0: ['b00', 'b03'], 1: ['b01', 'b04']}, [n % 3 for n in range(30)]
    for chosen, message in (
        (['b00'], 'f: draw 1, class 0: lists 1 clips, and 2 shots'),
        (['b00', 'b99'], "class 0: bank has no clip 'b99'"),
        (['b00', 'b01'], "class 0: clip 'b01' is of class 1 in bank"),
        (['b03', 'b03'], 'class 0: lists a clip twice'),
    ):
        with pytest.raises(ValueError, match=message):
            find_draws([good, {**good, 0: chosen}], BANK, labels, 2, 'f', 'bank')
