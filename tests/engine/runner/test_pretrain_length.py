"""One option for the length of pretraining, whatever the recipe."""

import pytest
from mmengine.config import Config

from stars_mm.cli.main import parse_command
from stars_mm.cli.train import load_config
from stars_mm.engine.runner.pretrain_length import VARIABLE
from stars_mm.engine.runner.stages import build_stage_cfg
from stars_mm.preparation.annotation_file import save_annotations


@pytest.fixture
def read(repo_root, tmp_path, monkeypatch):
    """``read('stars_demo.py', '--pretrain-epochs 3')``: the recipe and its stages, after the
    recipe has been written to a work directory and read again."""
    monkeypatch.delenv(VARIABLE, raising=False)

    def _read(config, words):
        path = str(repo_root / 'configs' / config)
        cfg = load_config(parse_command('train', [path, *words.split()]))
        copy = tmp_path / 'copy.py'
        cfg.dump(copy)
        cfg = Config.fromfile(copy)
        return cfg, [build_stage_cfg(cfg, stage, str(tmp_path)) for stage in cfg.stages]

    return _read


def test_a_recipe_by_epochs(read, capsys):
    cfg, (stage,) = read('stars_ntu60.py', '--pretrain-epochs 50')
    assert 'stage "pretrain": 50 epochs instead of 400' in capsys.readouterr().out
    assert stage.train_cfg.max_epochs == 50 and cfg.train_cfg.max_epochs == 20
    warmup, cosine = stage.param_scheduler
    assert (warmup.begin, warmup.end, cosine.begin, cosine.end) == (0, 2.5, 2.5, 50)
    assert cosine.type == 'CosineAnnealingLR' and cosine.eta_min_ratio == 0.5
    _, (unchanged,) = read('stars_ntu60.py', '')
    assert unchanged.train_cfg.max_epochs == 400


def test_only_the_stage_that_pretrains(read):
    cfg, (pretrain, head) = read('ablations/three-stage_nw-ucla_small.py', '--pretrain-epochs 7')
    assert pretrain.train_cfg.max_epochs == 7
    assert head.train_cfg.max_epochs == 2 * cfg.train_cfg.max_epochs


def test_what_a_config_derives_follows(read, capsys, tmp_path, make_clip, monkeypatch):
    """One's own recordings: stage 2 takes 30 % of what stage 1 takes."""
    clips = [make_clip(n, (1, 12, 20, 3)) for n in range(6)]
    names = [clip['frame_dir'] for clip in clips]
    path = str(tmp_path / 'a.pkl')
    save_annotations(path, clips, dict(train=names[:4], val=names[4:]), layout='kinect-20')
    monkeypatch.setenv('ANN_FILE', path)
    monkeypatch.setenv('BATCH_SIZE', '2')
    cfg, (stage,) = read('stars_custom.py', '--pretrain-epochs 30')
    assert 'the training after it: 9 epochs' in capsys.readouterr().out
    assert stage.train_cfg.max_epochs == stage.param_scheduler[0].end == 30
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler[0].end == 9


def test_a_stage_by_iterations(read, tmp_path, write, clips, capsys):
    """Four training clips in batches of two: two iterations an epoch."""
    dataset = dict(type='SkeletonDataset', ann_file=write(clips), split='train', pipeline=[])
    (tmp_path / 'stage.py').write_text(f"""
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler'), dataset={dataset})
train_cfg = dict(by_epoch=False, max_iters=100)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[50, 75], end=100)]
default_scope = 'mmaction'
""")
    (tmp_path / 'recipe.py').write_text(
        "stages = [dict(name='first', config='stage.py')]\ntrain_cfg = dict(max_epochs=1)\n"
    )
    _, (stage,) = read(tmp_path / 'recipe.py', '--pretrain-epochs 10')
    assert 'stage "first": 20 iterations instead of 100' in capsys.readouterr().out
    assert stage.train_cfg.max_iters == 20
    assert (stage.param_scheduler[0].milestones, stage.param_scheduler[0].end) == ([10, 15], 20)


def test_what_cannot_be_done(read):
    with pytest.raises(ValueError, match='has no stages .* train_cfg.max_epochs=N'):
        read('mamp/mamp_vit-4l-64d_1xb16-30e_demo.py', '--pretrain-epochs 3')
    with pytest.raises(ValueError, match='--pretrain-epochs 0: must be 1'):
        read('stars_demo.py', '--pretrain-epochs 0')
