"""A run is resumed by itself alone."""

import pickle
import shutil
from pathlib import Path

import pytest
import torch

from stars_mm.cli.main import parse_command
from stars_mm.cli.train import load_config
from stars_mm.engine.runner.run_record import check_same_run, check_same_start, run_record

LOADER = 'train_dataloader'
STAGE = 'pretrain/epoch_4.pth'


@pytest.mark.parametrize(
    'options, told',
    [
        ({'randomness.seed': 1}, 'seed: 0 there, 1 here'),
        ({'model.mask_ratio': 0.5}, 'model.mask_ratio: 0.75 there, 0.5 here'),
        ({'model.head.norm_target': True}, 'model.head.norm_target: nothing there, true here'),
        ({f'{LOADER}.batch_size': 2}, 'batch_size_of_all_ranks: 4 there, 2 here'),
        ({f'{LOADER}.dataset.split': 'xsub_val'}, '.split: "xsub_train" there, "xsub_val" here'),
        ({f'{LOADER}.dataset.pipeline.1.p_interval': 1}, '.pipeline.1.p_interval'),
        ({'optim_wrapper.optimizer.lr': 1.0}, 'optim_wrapper.optimizer.lr: 0.001 there, 1.0 here'),
        ({'param_scheduler.0.end': 2}, 'param_scheduler.0.end: 1 there, 2 here'),
        ({'custom_hooks': [dict(type='PerTensorGradClipHook')]}, 'hooks'),
    ],
)
def test_another_run_is_refused(options, told, load_cfg, trained, tmp_path):
    cfg = load_cfg(tmp_path, {'randomness.seed': 0, **options}, 'mamp')
    with pytest.raises(ValueError, match='of another run') as error:
        check_same_run(cfg, str(trained / STAGE), 1)
    assert told in str(error.value) and str(trained / STAGE) in str(error.value)


@pytest.mark.parametrize(
    'options',
    [
        {'train_cfg.max_epochs': 9, 'train_cfg.val_interval': 3},
        {'train_cfg.max_epochs': 9, 'param_scheduler.1.end': 9},
        {f'{LOADER}.num_workers': 2, f'{LOADER}.persistent_workers': True},
        {'default_hooks.logger.interval': 1, 'default_hooks.checkpoint.interval': 3},
        {'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None, 'compile': True},
    ],
)
def test_what_may_change(options, load_cfg, trained, tmp_path):
    cfg = load_cfg(tmp_path, {'randomness.seed': 0, **options}, 'mamp')
    check_same_run(cfg, str(trained / STAGE), 1)
    cfg.train_dataloader.batch_size = 2
    check_same_run(cfg, str(trained / STAGE), 2)


def test_data_are_known_by_what_they_hold(load_cfg, ann_file, tmp_path):
    """Wherever the file lies."""
    records = []
    content = Path(ann_file).read_bytes()
    changed = pickle.loads(content)
    changed['annotations'][3]['keypoint'][0, 2] += 1
    for folder, data in (('', None), ('moved', content), ('other', pickle.dumps(changed))):
        cfg = load_cfg(tmp_path, name='mamp')
        if folder:
            path = tmp_path / folder / 'clips.pkl'
            path.parent.mkdir()
            path.write_bytes(data)
            cfg.train_dataloader.dataset.update(ann_file=path.name, data_root=str(path.parent))
        records.append(run_record(cfg, 1))
    here, moved, other = records
    assert here == moved
    found = here['train_dataloader']['dataset'], other['train_dataloader']['dataset']
    assert [key for key in found[0] if found[0][key] != found[1][key]] == ['ann_file']


def test_resume_in_a_used_folder(load_cfg, build, trained, tmp_path):
    """Neither the own training nor a stage of another seed or config is taken."""
    shutil.copytree(trained, tmp_path / 'run')
    with pytest.raises(ValueError, match=r'run/epoch_4.pth.*seed: 0 there, 5 here'):
        build(load_cfg(tmp_path / 'run', {'resume': True, 'randomness.seed': 5})).train()
    other_stage = {'stages.0.options': {'model.mask_ratio': 0.5}}
    for _ in range(2):
        with pytest.raises(ValueError, match=r'pretrain/epoch_4.pth.*mask_ratio: 0.75 there'):
            build(load_cfg(tmp_path / 'run', {'resume': True, **other_stage})).train()
        (tmp_path / 'run/last_checkpoint').unlink(missing_ok=True)  # stage 1 alone is there


def test_a_stage_that_is_over_keeps_its_length(load_cfg, build, trained, tmp_path):
    """What follows has begun with it; more epochs of it would be none."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    longer = {'resume': True, 'stages.0.options': {'train_cfg.max_epochs': 8}}
    with pytest.raises(ValueError, match=r'pretrain/epoch_4.pth.*length: 4 there, 8 here'):
        build(load_cfg(tmp_path, longer)).train()


def test_resumed_with_other_weights_to_start_from(load_cfg, build, recipe, trained, tmp_path):
    """``load_from`` beside ``--resume`` must be that of the run, wherever it lies."""
    first = shutil.copy(trained / STAGE, tmp_path / 'first.pth')
    other = str(trained / 'pretrain/epoch_3.pth')
    short = {'train_cfg.max_epochs': 1}
    build(load_cfg(tmp_path / 'run', {'load_from': str(first), **short})).train()

    def load(start, work_dir=tmp_path / 'run'):
        argv = [recipe, '--work-dir', work_dir, '--resume', '--cfg-options', f'load_from={start}']
        return load_config(parse_command('train', list(map(str, argv))))

    moved = shutil.move(first, tmp_path / 'moved.pth')
    cfg = load(moved)
    assert cfg.resume and cfg.load_from is None
    with pytest.raises(ValueError, match=f'run/epoch_1.pth.* began with {first}, not with {other}'):
        load(other)
    build(load_cfg(tmp_path / 'run', {'resume': True, 'train_cfg.max_epochs': 2})).train()
    with pytest.raises(ValueError, match='run/epoch_2.pth.* began with'):
        load(other)
    with pytest.raises(ValueError, match='epoch_4.pth.* began with no checkpoint, not'):
        check_same_start(str(trained / STAGE), other)
    assert load(other, tmp_path / 'new').load_from == other


def test_a_checkpoint_without_a_record(load_cfg, trained, tmp_path, monkeypatch):
    saved = torch.load(trained / STAGE)
    del saved['meta']['run']
    torch.save(saved, tmp_path / 'old.pth')
    told: list[str] = []
    monkeypatch.setattr(f'{run_record.__module__}.print_log', lambda text, *args: told.append(text))
    check_same_run(load_cfg(tmp_path, name='mamp'), str(tmp_path / 'old.pth'), 1)
    assert 'does not say of which run' in told[0]
