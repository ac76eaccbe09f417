"""Every config names parts that exist and fit, and reads the splits that it should."""

import re
from pathlib import Path

from mmaction.registry import HOOKS, LOOPS, METRICS, RUNNERS
from mmengine.config import Config
from mmengine.evaluator import Evaluator

from stars_mm.engine.runner.config_check import check_config
from stars_mm.engine.runner.stages import build_stage_cfg
from stars_mm.evaluation.protocols.trained_stages import row_of

MODES = ('train', 'val', 'test')


def banks(cfg: Config) -> list:
    loops = (cfg.val_cfg, cfg.test_cfg)
    return [loop.bank_dataloader for loop in loops if loop.type.startswith('Feature')]


def source(loader: dict) -> tuple[str, str]:
    return loader.dataset.ann_file, loader.dataset.split


def test_parts_and_splits(any_config, read, classes):
    """Training and bank read the training split, the query never does."""
    cfg = read(any_config)
    check_config(cfg)
    assert RUNNERS.get(cfg.runner_type).__name__ == 'StagedRunner'
    assert LOOPS.get(cfg.val_cfg.type) and LOOPS.get(cfg.test_cfg.type)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        Evaluator([METRICS.build(metric) for metric in evaluator])
    hooks = [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]
    assert not any('EarlyStopping' in type(HOOKS.build(hook)).__name__ for hook in hooks)
    assert cfg.default_hooks.non_finite == dict(type='NonFiniteHook')
    assert cfg.default_hooks.collapse == dict(type='CollapseHook')
    assert 'save_best' not in cfg.default_hooks.checkpoint  # would see test labels

    loaders = [cfg[f'{mode}_dataloader'] for mode in MODES]
    for loader in [*loaders, *banks(cfg)]:
        assert loader.dataset.num_classes == classes[Path(loader.dataset.ann_file).stem]
    if '-to-' in any_config:  # is tested on other data
        return
    train, val, test = map(source, loaders)
    assert all(source(bank) == train for bank in banks(cfg))
    assert val == test != train
    assert train[1].replace('_train', '_val') == test[1] != train[1]


def test_numbers_fit_the_name(any_config, read):
    """``…_8xb32-100e_…``: processes × clips, epochs."""
    cfg = read(any_config)
    clips, total = cfg.train_dataloader.batch_size, cfg.auto_scale_lr.base_batch_size
    processes = 8 if re.search('ntu|pku', cfg.train_dataloader.dataset.ann_file) else 1
    assert total == processes * clips
    assert not cfg.auto_scale_lr.get('enable')
    epochs, schedulers = cfg.train_cfg.max_epochs, cfg.param_scheduler
    if found := re.search(r'_(\d+)xb(\d+)(?:-(\d+)e)?_', any_config):
        assert int(found[1]) == processes
        assert int(found[2]) == clips or 'custom' in any_config  # has 8 clips, which is less
        assert found[3] is None or int(found[3]) == epochs
    if schedulers:
        assert [s.begin for s in schedulers] == [0, *(s.end for s in schedulers[:-1])]
        assert schedulers[-1].end == epochs
    assert cfg.train_cfg.val_interval <= epochs


def fits(trained: dict, taken: dict) -> bool:
    """Whether all of the encoder that is taken was trained, in the same shape."""
    encoder = {name: shape for name, shape in taken.items() if name.startswith('backbone.')}
    return bool(encoder) and encoder.items() <= trained.items()


def test_stages_and_protocols_take_the_encoder(any_config, read, shapes):
    """What a stage trains fits the model that goes on with it, and its data are the same."""
    cfg = read(any_config)
    own = shapes(cfg.model)
    classes = cfg.model.get('cls_head', {}).get('num_classes')
    assert classes in (None, cfg.num_classes)
    data = source(cfg.train_dataloader)
    runs = [build_stage_cfg(cfg, stage, 'work_dir') for stage in cfg.get('stages') or []]
    for run in runs:
        assert not run.get('stages')
        assert fits(shapes(run.model), own), run.filename
        assert source(run.train_dataloader) == data
        assert run.model.get('data_preprocessor') == cfg.model.get('data_preprocessor')
    if not any_config.startswith(
        ('benchmarks', 'mamp', 'similarity', 'ablations', 'streams', 'backbones')
    ):
        assert {'linear', 'finetune'} <= set(cfg.protocols) and len(runs) == 1
    contrastive = cfg.model.type == 'STARS'
    assert contrastive == (bool(runs) or bool(cfg.get('allow_random_init')))
    for kind, path in cfg.get('protocols', {}).items():
        protocol = read(path)
        if kind == 'fewshot':
            assert protocol.model == cfg.model
            continue
        assert fits(own, shapes(protocol.model)), path
        assert protocol.needs_pretrained and protocol.load_from is None
        assert (source(protocol.train_dataloader) == data) == (kind != 'transfer')
        if kind == 'transfer':
            assert source(protocol.train_dataloader)[0].endswith('pku2_3d.pkl')
        if any_config.startswith('streams/'):
            assert protocol.model.data_preprocessor == cfg.model.data_preprocessor


def test_classifiers_are_judged_by_accuracy(classifier, read):
    cfg = read(classifier)
    assert (cfg.val_cfg.type, cfg.test_cfg.type) == ('ValLoop', 'TestLoop')
    assert cfg.val_evaluator == cfg.test_evaluator == [dict(type='AccMetric')]
    assert 'stages' not in cfg
    # the clips are those of stage 1 on the same data
    data = cfg.train_dataloader.dataset
    for name in ('train', 'val', 'test'):
        pipeline = cfg[f'{name}_dataloader'].dataset.pipeline
        assert pipeline == cfg['train_pipeline' if name == 'train' else 'test_pipeline']
    assert ('subset' in data) == classifier.startswith('benchmarks/semi')
    assert 'subset' not in cfg.val_dataloader.dataset


def test_the_quickstart_finds_its_rows(read):
    cfg = read('stars_demo.py')
    assert [row_of(read(cfg.stages[0].config)), row_of(cfg)] == ['mamp', 'stars']


def test_custom_needs_no_file(read, repo_root, tmp_path, monkeypatch):
    """A config of one's own recordings can be read before there are any; the environment names
    another file."""
    monkeypatch.chdir(tmp_path)
    path = repo_root / 'configs/stars_custom.py'
    assert Config.fromfile(path).ann_file == 'data/skeleton/custom.pkl'
    monkeypatch.setenv('ANN_FILE', 'data/skeleton/other.pkl')
    cfg = Config.fromfile(path)
    assert {source(loader)[0] for loader in [cfg.train_dataloader, *banks(cfg)]} == {
        'data/skeleton/other.pkl'
    }
