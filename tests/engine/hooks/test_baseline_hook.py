import pickle
from pathlib import Path

import pytest
import torch
from mmaction.registry import DATASETS, HOOKS
from mmengine.runner import Runner
from sklearn.neighbors import KNeighborsClassifier

from stars_mm.evaluation.functional import joint_distances, positions
from stars_mm.evaluation.functional.feature_space import build_feature_space


def clips_of(loader_cfg: dict) -> tuple:
    dataset = DATASETS.build(loader_cfg['dataset'])
    labels = [int(clip['data_samples'].gt_label) for clip in dataset]
    return torch.stack([clip['inputs'] for clip in dataset]).float(), labels


def nearest(bank: tuple, query: tuple) -> float:
    """Percent of the query whose nearest clip of the bank is of the same class."""
    (bank_feats, bank_labels), (query_feats, query_labels) = bank, query
    oracle = KNeighborsClassifier(1, metric='cosine').fit(bank_feats.flatten(1), bank_labels)
    return 100 * oracle.score(query_feats.flatten(1), query_labels)


@pytest.fixture
def said(monkeypatch) -> list:
    """What is logged, as (level, text)."""
    lines: list[tuple[str, str]] = []
    for level in ('info', 'warning'):
        monkeypatch.setattr(
            f'logging.Logger.{level}', lambda _, text, n=level: lines.append((n, text))
        )
    return lines


def test_rows_without_learning_are_told_and_compared(load_cfg, build, tmp_path, said):
    cfg = load_cfg(tmp_path, name='mamp')
    runner, hook = build(cfg), HOOKS.build(dict(type='BaselineHook'))
    hook.before_train(runner)
    level, text = said[-1]
    bank, query = map(clips_of, (cfg.val_cfg.bank_dataloader, cfg.val_dataloader))
    expected = {'raw': nearest(bank, query)}
    parts = [dict(positions=positions(x), distances=joint_distances(x)) for x, _ in (bank, query)]
    feats = build_feature_space('geometry').compare(*parts)
    expected['geometry'] = nearest((feats[0], bank[1]), (feats[1], query[1]))
    assert expected.items() <= {k: pytest.approx(v) for k, v in hook.baselines.items()}.items()
    assert level == 'info' and f'raw {expected["raw"]:.1f}' in text

    hook.baselines = dict(raw=60.0, geometry=72.5, geometry_pulled=71.0)
    for learned, level, words in (
        (75.0, 'info', 'beat the best row without learning, geometry (72.5), by 2.5 points'),
        (72.5, 'warning', 'do not beat'),
        (70.0, 'warning', 'geometry (72.5): 2.5 points are missing'),
    ):
        hook.after_val_epoch(runner, {'knn/top1_k1': learned})
        assert said[-1][0] == level and words in said[-1][1]


def test_nothing_is_said_where_nothing_can_be_compared(
    load_cfg, build, tmp_path, said, monkeypatch
):
    hook = HOOKS.build(dict(type='BaselineHook'))
    runner = build(load_cfg(tmp_path, name='mamp'))
    built = Runner.build_dataloader

    def without_classes(*args, **kwargs):
        loader = built(*args, **kwargs)
        loader.dataset.get_clip_info = lambda n: dict(frame_dir='a', label=None)
        return loader

    monkeypatch.setattr(Runner, 'build_dataloader', without_classes)
    said.clear()
    hook.before_train(runner)
    hook.after_val_epoch(runner, {'knn/top1_k1': 1.0})
    runner.cfg.val_cfg = None
    hook.before_train(runner)
    assert not any('learning' in text or 'Learned' in text for _, text in said)
    assert not hook.baselines


def test_clips_without_a_label_do_not_count(load_cfg, build, ann_file, tmp_path):
    content = pickle.loads(Path(ann_file).read_bytes())
    bare = (0, 5, 11, 24, 30)
    for number in bare:
        del content['annotations'][number]['label']
    (tmp_path / 'some.pkl').write_bytes(pickle.dumps(content))
    cfg = load_cfg(tmp_path, name='mamp')
    (bank, bank_labels), (query, labels) = map(
        clips_of, (cfg.val_cfg.bank_dataloader, cfg.val_dataloader)
    )
    judged = [[n for n in range(21) if n not in bare], [n for n in range(11) if n + 21 not in bare]]
    known = [(bank, bank_labels), (query, labels)]
    known = [(x[kept], [y[n] for n in kept]) for (x, y), kept in zip(known, judged)]
    for loader in (cfg.val_cfg.bank_dataloader, cfg.val_dataloader):
        loader.dataset.ann_file = str(tmp_path / 'some.pkl')
    hook = HOOKS.build(dict(type='BaselineHook'))
    hook.before_train(build(cfg))
    assert hook.baselines['raw'] == pytest.approx(nearest(*known))
