"""Protocols that train, by real trainings of a tiny classifier."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, RUNNERS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.datasets.clip_selection import read_subset
from stars_mm.evaluation.protocols.launch import find_tool, run_tool
from stars_mm.evaluation.protocols.record import TrainingRecord, identify, read_accuracies
from stars_mm.evaluation.protocols.training import run_semi, run_transfer, summarise
from stars_mm.preparation.annotation_file import save_annotations

CONFIG = """
_base_ = [
    '{configs}/_base_/models/finetune_vit-8l-256d.py',
    '{configs}/_base_/datasets/ntu60-xsub_accuracy.py',
    '{configs}/_base_/schedules/finetune_adamw_8xb6-100e.py',
    '{configs}/_base_/default_runtime.py'
]
model = dict(
    backbone=dict(embed_dims=16, depth=1, num_heads=2, num_frames=8,
                  num_joints=5),
    cls_head=dict(num_classes=3, in_channels=16, num_joints=5,
                  hidden_channels=8))
data = dict(
    batch_size=8, num_workers=0, persistent_workers=False,
    dataset=dict(ann_file={ann_file!r}, num_classes=3, pipeline=[
        dict(type='TemporalCropResize', clip_len=8, p_interval=0.95),
        dict(type='FormatGCNInput', num_person=1),
        dict(type='PackActionInputs', meta_keys=('sample_idx', ))]))
train_dataloader = data
val_dataloader = data
test_dataloader = data
param_scheduler = []
optim_wrapper = dict(optimizer=dict(lr=1e-2))
train_cfg = dict(max_epochs=3, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=3))
auto_scale_lr = dict(base_batch_size=16)
"""


@pytest.fixture(autouse=True)
def quick_dump(monkeypatch):
    """Laying out a config takes longer than training this model."""
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **kwargs: (text, True))


@pytest.fixture(scope='module')
def bench(repo_root, tmp_path_factory):
    """Folder with ``config.py``, ``encoder.pth`` and 40 + 60 clips."""
    folder = tmp_path_factory.mktemp('bench')
    rng = np.random.default_rng(0)
    clips = []
    for i in range(100):
        keypoint = rng.normal(size=(1, 12, 5, 3)) + (i % 3) * rng.random()
        clips.append(
            dict(
                frame_dir=f'clip{i}',
                label=i % 3,
                total_frames=12,
                keypoint=keypoint.astype(np.float32),
            )
        )
    names = [clip['frame_dir'] for clip in clips]
    ann_file = str(folder / 'tiny.pkl')
    save_annotations(ann_file, clips, dict(xsub_train=names[:40], xsub_val=names[40:]))
    (folder / 'config.py').write_text(
        CONFIG.format(configs=repo_root / 'configs', ann_file=ann_file)
    )
    save_encoder(folder / 'config.py', folder / 'encoder.pth')
    return folder


def save_encoder(config: Path, path: Path) -> None:
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        backbone = MODELS.build(Config.fromfile(config).model.backbone)
    torch.save({f'backbone.{name}': value for name, value in backbone.state_dict().items()}, path)


def accuracy(work_dir: Path, epoch: int) -> float:
    """Top-1 of a checkpoint in percent, tested here and now."""
    (config,) = (work_dir / 'config').glob('*.py')
    cfg = Config.fromfile(config)
    cfg.work_dir = str(work_dir.parent / 'tested')
    cfg.load_from = str(work_dir / f'epoch_{epoch}.pth')
    return 100 * RUNNERS.build(cfg).test()['acc/top1']


def test_semi_from_draws_to_spread(bench, tmp_path):
    """Two draws; then nothing is repeated; then what was interrupted."""

    def run():
        return run_semi(
            bench / 'config.py',
            bench / 'encoder.pth',
            tmp_path,
            percent=50,
            draws=2,
            seed=4,
            balanced=True,
        )

    first = run()
    names = [f'50pct_balanced_seed4_draw{draw}' for draw in (0, 1)]
    assert [Path(r['work_dir']).name for r in first['runs']] == names
    assert [r['seed'] for r in first['runs']] == [4, 5]
    accuracies = [r['accuracy'] for r in first['runs']]
    assert first['accuracy'] == pytest.approx(np.mean(accuracies))
    assert first['std'] == pytest.approx(np.std(accuracies, ddof=1))
    assert (first['epoch'], first['num_clips'], first['batch_size']) == (3, 20, 16)
    for result, name in zip(first['runs'], names):
        # one batch an epoch: of the subset's 20 clips, not of all 40
        meta = torch.load(tmp_path / name / 'epoch_3.pth')['meta']
        assert (meta['epoch'], meta['iter'], meta['seed']) == (3, 3, result['seed'])
        by_epoch = {epoch: accuracy(tmp_path / name, epoch) for epoch in (1, 2, 3)}
        assert result['accuracy'] == pytest.approx(by_epoch[3])
        best = result['best_of_test']
        assert best['accuracy'] == pytest.approx(max(by_epoch.values()))
        assert best['accuracy'] == pytest.approx(by_epoch[best['epoch']])
    sets = [set(read_subset(str(path))) for path in sorted((tmp_path / 'subsets').glob('*.txt'))]
    assert [len(names) for names in sets] == [20, 20] and sets[0] != sets[1]

    trained = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('epoch_*.pth')}
    assert run() == first
    assert trained == {path: path.stat().st_mtime_ns for path in trained}

    # as if draw 0 had been stopped before its last validation, and draw 1 in its second epoch
    for name in names:
        record = json.loads((tmp_path / name / 'training.json').read_text())
        record['result'] = None
        (tmp_path / name / 'training.json').write_text(json.dumps(record))
    (log,) = (tmp_path / names[0]).glob('*/vis_data/scalars.json')
    lines = [
        line
        for line in log.read_text().splitlines(True)
        if 'acc/top1' not in line or '"step": 3' not in line
    ]
    log.write_text(''.join(lines))
    work_dir = tmp_path / names[1]
    wanted = torch.load(work_dir / 'epoch_3.pth')
    for epoch in (2, 3):
        (work_dir / f'epoch_{epoch}.pth').unlink()
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
    again = run()
    assert [r['accuracy'] for r in again['runs']] == pytest.approx(accuracies)
    assert (tmp_path / names[0] / 'test').is_dir()
    assert again['runs'][1]['seconds'] > first['runs'][1]['seconds']
    found = torch.load(work_dir / 'epoch_3.pth')
    torch.testing.assert_close(found['state_dict'], wanted['state_dict'], rtol=0, atol=0)


def test_a_training_that_fails_says_why(bench, tmp_path):
    with pytest.raises(
        RuntimeError,
        match=r'(?s)train\.py .* ended with 1.*'
        r'train\.out.*no_such_option',
    ):
        run_transfer(
            bench / 'config.py',
            bench / 'encoder.pth',
            tmp_path,
            options={'optim_wrapper.optimizer.no_such_option': 1},
        )


@pytest.mark.parametrize(
    'change, error, message',
    [
        (
            dict(checkpoint='gone.pth'),
            FileNotFoundError,
            r'gone\.pth: there is no '
            'such checkpoint',
        ),
        (
            dict(options={'model.backbone.embed_dims': 32}),
            ValueError,
            r'encoder\.pth does not fit the model',
        ),
        (dict(options={'model.backbone.depth': 2}), ValueError, 'lacks 12 of'),
        (
            dict(num_processes=3),
            ValueError,
            r'num_processes=3 does not divide .*'
            r'config\.py, auto_scale_lr\.base_batch_size=16',
        ),
        (dict(options={'val_evaluator': None}), ValueError, r'config\.py has no val_evaluator'),
        (dict(percent=120), ValueError, 'percent=120 must lie'),
        (
            dict(percent=3),
            ValueError,
            'percent=3 of .*are 1 clips, and each of 1 processes needs at least 2',
        ),
        (dict(draws=0), ValueError, 'draws=0 must be 1 or more'),
        (
            dict(options={'train_dataloader.dataset.type': 'PoseDataset'}),
            ValueError,
            "type='PoseDataset' takes no label subset",
        ),
    ],
)
def test_refused_before_a_process_starts(bench, tmp_path, change, error, message):
    given = dict(
        config=bench / 'config.py', checkpoint=bench / 'encoder.pth', work_dir=tmp_path, percent=50
    )
    with pytest.raises(error, match=message):
        run_semi(**{**given, **change})
    assert not list(tmp_path.rglob('train.out'))


def test_another_training_is_not_taken_for_this_one(bench, tmp_path):
    cfg = Config.fromfile(bench / 'config.py')
    checkpoint = str(bench / 'encoder.pth')
    own = identify(cfg, checkpoint, 0, 16)
    TrainingRecord(tmp_path, own).save()
    moved = str(shutil.copy(checkpoint, tmp_path / 'moved.pth'))
    cfg.load_from, cfg.train_dataloader.batch_size = moved, 2
    assert identify(cfg, moved, 0, 16) == own
    TrainingRecord(tmp_path, own)
    cfg.train_cfg.max_epochs = 4
    for other, key in (
        (identify(cfg, moved, 0, 16), 'config'),
        ({**own, 'seed': '1'}, 'seed'),
        ({**own, 'checkpoint': '0'}, 'checkpoint'),
    ):
        with pytest.raises(ValueError, match=f"differs in .'{key}'"):
            TrainingRecord(tmp_path, other)
    (tmp_path / 'training.json').rename(tmp_path / 'last_checkpoint')
    with pytest.raises(ValueError, match='not of a protocol'):
        TrainingRecord(tmp_path, own)


def test_other_clips_are_another_training(bench, tmp_path):
    cfg = Config.fromfile(bench / 'config.py')
    parts = []
    for number, text in enumerate(('clip1\n', 'clip1\n', 'clip2\n')):
        path = tmp_path / f'{number}.txt'
        path.write_text(text)
        cfg.train_dataloader.dataset.subset = str(path)
        parts.append(identify(cfg, str(bench / 'encoder.pth'), 0, 16))
    assert parts[0] == parts[1] != parts[2]


def test_accuracies_of_the_log(tmp_path):
    """The last run counts, a cut line does not."""
    for name, text in (
        (
            'a',
            '{"loss": 1, "step": 1}\n{"acc/top1": 0.5, "step": 1}\n'
            '{"acc/top1": 0.75, "step": 2}\n{"acc/to',
        ),
        ('b', '{"acc/top1": 0.25, "step": 2}\n'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'log.json').write_text(text)
    assert read_accuracies(tmp_path, '*/log.json') == {1: 50.0, 2: 25.0}


def test_spread():
    runs = [
        dict(
            accuracy=a,
            best_of_test=dict(accuracy=a + 1, epoch=1),
            epoch=3,
            seconds=2.0,
            batch_size=16,
            config='c',
            checkpoint='e',
        )
        for a in (50.0, 60.0, 64.0)
    ]
    found = summarise(runs)
    assert found['accuracy'] == pytest.approx(58.0)
    assert found['std'] == pytest.approx(((64 + 4 + 36) / 2) ** 0.5)
    assert found['best_of_test']['accuracy'] == pytest.approx(59.0)
    assert found['seconds'] == 6.0 and found['runs'] == runs
    assert summarise(runs[:1])['std'] is None


def test_tools_are_found():
    assert find_tool('train.py').name == 'train.py'
    with pytest.raises(FileNotFoundError, match='nothing.py lies in neither'):
        find_tool('nothing.py')
    with pytest.raises(FileNotFoundError, match='nothing.py'):
        run_tool('nothing.py', [], Path('log'))
