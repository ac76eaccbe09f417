"""The nearest-neighbour and few-shot configs."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.engine.runner.stages import build_stage_cfg

CONFIGS = Path(__file__).parents[1] / 'configs'
KNN, FEWSHOT = (sorted((CONFIGS / 'benchmarks' / kind).glob('*.py')) for kind in ('knn', 'fewshot'))
(NOVEL,) = (path for path in FEWSHOT if '-to-' in path.stem)


def load(path) -> Config:
    cfg = Config.fromfile(path)
    cfg.randomness = dict(seed=0)
    return cfg


def loaders(cfg, mode) -> list:
    return [cfg[f'{mode}_cfg'].bank_dataloader, cfg[f'{mode}_dataloader']]


@pytest.mark.parametrize('path', KNN, ids=lambda path: path.stem)
def test_knn_measures_as_the_recipe_does(path):
    """On its data, with all metrics of the protocol."""
    cfg = load(path)
    uniform, weighted, clusters = cfg.test_evaluator
    assert dict(uniform) == dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10))
    assert dict(weighted) == dict(type='KNNMetric', topk_neighbors=(10, 20, 40), temperature=0.1)
    assert clusters.type == 'ClusterMetric'
    size, data = path.stem.split('_')[1:]
    assert any(
        name.stem.startswith(f'mamp_{size}_') and name.stem.endswith(f'_{data}')
        for name in (CONFIGS / 'mamp').glob('*.py')
    )
    bank, query = loaders(cfg, 'test')
    train = cfg.train_dataloader.dataset
    assert (bank.dataset.ann_file, bank.dataset.split) == (train.ann_file, train.split)
    assert query.dataset.ann_file == train.ann_file
    assert 'labels' not in bank.dataset


@pytest.mark.parametrize('path', FEWSHOT, ids=lambda path: path.stem)
def test_fewshot_classes_are_new(path):
    """No stage trains on a class that the test has, and bank and query of the
    test have the same ones."""
    cfg = load(path)
    bank, query = loaders(cfg, 'test')
    assert bank.dataset.labels == query.dataset.labels
    assert bank.dataset.ann_file == query.dataset.ann_file
    assert bank.dataset.split.replace('_train', '_val') == query.dataset.split
    assert cfg.test_evaluator[0] == dict(type='FewShotMetric', shots=(1, 2, 5, 10), episodes=100)
    if path == NOVEL:
        return
    unseen = set(query.dataset.labels)
    runs = [build_stage_cfg(cfg, stage, 'work_dir') for stage in cfg.stages]
    assert len(runs) == 1
    for run in [*runs, cfg]:
        for loader in [run.train_dataloader, *loaders(run, 'val')]:
            seen = loader.dataset.labels
            assert not unseen & set(seen)
            assert unseen | set(seen) == set(range(query.dataset.num_classes))
    assert not cfg.protocols  # they would train on all classes


def test_published_few_shot_protocol():
    """REFERENCE section 5: the encoder of NTU-60 xsub, A061 to A120."""
    cfg = load(NOVEL)
    trained = load(CONFIGS / 'stars_ntu60.py')
    with DefaultScope.overwrite_default_scope('mmaction'):
        models = [MODELS.build(c.model) for c in (cfg, trained)]
    assert str(models[0]) == str(models[1])
    assert cfg.train_dataloader == trained.train_dataloader
    for loader, its in zip(loaders(cfg, 'test'), loaders(trained, 'test')):
        dataset, its = loader.dataset, its.dataset
        assert dataset.ann_file == 'data/skeleton/ntu120_3d.pkl'
        assert dataset.labels == [f'A{n:03d}' for n in range(61, 121)]
        assert dataset.num_classes == 120
        assert dataset.split == its.split  # xsub_train, xsub_val
        assert dataset.pipeline == its.pipeline  # as the encoder was trained


def test_novel_classes_are_found_by_name(tmp_path):
    """In a file like ntu120_3d.pkl, with all 120 classes."""
    names = [
        f'S001C001P{person:03d}R001A{action:03d}' for person in (1, 2) for action in range(1, 121)
    ]
    clip = np.random.default_rng(0).random((1, 4, 25, 3), np.float32)
    (tmp_path / 'ntu.pkl').write_bytes(
        pickle.dumps(
            dict(
                split=dict(xsub_train=names[:120], xsub_val=names[120:]),
                annotations=[
                    dict(frame_dir=name, label=int(name[-3:]) - 1, total_frames=4, keypoint=clip)
                    for name in names
                ],
            )
        )
    )
    cfg = load(NOVEL)
    for loader in loaders(cfg, 'test'):
        dataset = dict(loader.dataset, ann_file=str(tmp_path / 'ntu.pkl'))
        with DefaultScope.overwrite_default_scope('mmaction'):
            clips = DATASETS.build(dataset)
        found = [clips.get_data_info(n)['label'] for n in range(len(clips))]
        assert found == list(range(60, 120))
