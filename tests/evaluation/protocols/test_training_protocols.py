"""Protocols that train, by real trainings of a tiny classifier."""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config

from stars_mm.datasets.clip_selection import read_subset
from stars_mm.evaluation.protocols import tool_process, training_run
from stars_mm.evaluation.protocols.features import Encoder
from stars_mm.evaluation.protocols.protocol import Settings
from stars_mm.evaluation.protocols.training_protocols import TrainingProtocol
from stars_mm.evaluation.protocols.training_run import run_training, training_identity


@pytest.fixture
def build(recipe, tmp_path):
    """``build(name, **settings)``: a protocol of the recipe."""

    def _build(name, options=None, **settings):
        cfg, encoder = Config.fromfile(recipe / 'recipe.py'), Encoder.load(recipe / 'epoch_4.pth')
        options = {name.split('-')[0]: options or {}}
        return TrainingProtocol(name, Settings(cfg, encoder, tmp_path, options=options, **settings))

    return _build


def accuracy(work_dir: Path, epoch: int) -> float:
    """Top-1 of a checkpoint in percent, tested here and now."""
    cfg = Config.fromfile(next((work_dir / 'config').glob('*.py')))
    cfg.load_from = str(work_dir / f'epoch_{epoch}.pth')
    cfg.work_dir = str(work_dir.parent / 'tested')
    cfg.experiment_name = f'tested_{work_dir.name}_{epoch}'
    return 100 * RUNNERS.build(cfg).test()['acc/top1']


def test_semi_from_draws_to_spread(build, run_in_process, monkeypatch, tmp_path):
    """Two draws; then nothing is repeated; then what was interrupted."""
    monkeypatch.setattr(training_run, 'run_tool', run_in_process)
    folder = tmp_path / 'semi'

    def run():
        protocol = build('semi-30', {'train_cfg.max_epochs': 2}, draws=2, seed=4)
        protocol.check()
        return protocol.run(folder)

    first = run()
    runs = first['runs']
    assert [r['seed'] for r in runs] == [4, 5]
    accuracies = [r['accuracy'] for r in runs]
    assert first['accuracy'] == pytest.approx(np.mean(accuracies))
    assert first['spread']['accuracy'] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-3)
    # the subset's 12 clips are one batch, though the config's is 16
    assert (first['epoch'], first['num_clips'], first['batch_size']) == (2, 12, 12)
    work_dir = folder / 'draw1'
    wanted = torch.load(work_dir / 'epoch_2.pth')
    assert [wanted['meta'][key] for key in ('epoch', 'iter', 'seed')] == [2, 2, 5]
    by_epoch = {epoch: accuracy(work_dir, epoch) for epoch in (1, 2)}
    assert accuracies[1] == pytest.approx(by_epoch[2])
    best = runs[1]['best_of_test']
    assert best['accuracy'] == pytest.approx(max(by_epoch.values()))
    assert best['accuracy'] == pytest.approx(by_epoch[best['epoch']])
    sets = [set(read_subset(str(path))) for path in sorted((folder / 'subsets').glob('*.txt'))]
    assert [len(names) for names in sets] == [12, 12] and sets[0] != sets[1]

    # as if draw 0 had been stopped before its last validation, and draw 1 in its second epoch
    for name in ('draw0', 'draw1'):
        record = json.loads((folder / name / 'training.json').read_text())
        (folder / name / 'training.json').write_text(json.dumps(dict(record, result=None)))
    (log,) = (folder / 'draw0').glob('*/vis_data/scalars.json')
    last = [line for line in log.read_text().splitlines(True) if 'acc/top1' in line][-1]
    log.write_text(log.read_text().replace(last, ''))
    (work_dir / 'epoch_2.pth').unlink()
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
    again = run()
    assert [r['accuracy'] for r in again['runs']] == pytest.approx(accuracies)
    assert (folder / 'draw0/test').is_dir() and not (folder / 'draw1/test').exists()
    assert again['runs'][1]['seconds'] > runs[1]['seconds']
    found = torch.load(work_dir / 'epoch_2.pth')
    torch.testing.assert_close(found['state_dict'], wanted['state_dict'], rtol=0, atol=0)
    trained = {path: path.stat().st_mtime_ns for path in folder.rglob('epoch_*.pth')}
    assert run() == again
    assert all(path.stat().st_mtime_ns == time for path, time in trained.items())


def test_transfer_counts_its_seeds(build, monkeypatch, tmp_path):
    trained = []

    def fake(cfg, checkpoint, work_dir, seed, num_processes):
        trained.append((work_dir.name, seed, cfg.train_dataloader.batch_size, num_processes))
        found = dict(epoch=3, seconds=2.0, batch_size=16, config='c', checkpoint='e')
        return dict(found, accuracy=50.0 + seed, best_of_test=dict(accuracy=70.0, epoch=1))

    module = 'stars_mm.evaluation.protocols.training_protocols'
    monkeypatch.setattr(f'{module}.run_training', fake)
    monkeypatch.setattr(f'{module}.predictions_by_class', lambda cfg, folder: dict(in_it=folder))
    found = build('transfer', draws=3, seed=7, num_processes=4).run(tmp_path)
    assert trained == [(f'seed{seed}', seed, 4, 4) for seed in (7, 8, 9)]
    assert found['scores'] == dict(accuracy=58.0) and found['spread'] == dict(accuracy=1.0)
    assert 'by_class' not in found
    found = build('linear', draws=3, seed=7).run(tmp_path / 'linear')
    assert found['by_class'] == dict(in_it=tmp_path / 'linear')
    assert trained[3:] == [('linear', 7, 16, 1)]


@pytest.mark.slow
def test_training_in_a_process_of_its_own(build, recipe, tmp_path):
    found = build('linear', options={'train_cfg.max_epochs': 1}).run(tmp_path / 'good')
    assert found['epoch'] == 1 and 0 <= found['accuracy'] <= 100
    bad = build('linear', options={'optim_wrapper.optimizer.no_such_option': 1})
    message = r'(?s)train\.py .* ended with 1.*train\.out.*no_such_option'
    with pytest.raises(RuntimeError, match=message):
        bad.run(tmp_path / 'bad')


@pytest.mark.skipif(sys.platform != 'linux', reason='others cannot tell')
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_a_tool_ends_with_the_process_that_waits_for_it(number, monkeypatch, tmp_path):
    script = 'trap "echo saved; exit" TERM; echo begun; while :; do sleep 0.02; done'
    command = ['sh', '-c', script], dict(os.environ)
    monkeypatch.setattr(tool_process, 'tool_command', lambda *_: command)
    log = tmp_path / 'log'

    def wait_for(text):
        end = time.monotonic() + 20
        while not (log.exists() and text in log.read_text()):
            assert time.monotonic() < end
            time.sleep(0.01)

    pid = os.fork()
    if not pid:
        tool_process.run_tool('train.py', [], log)
        os._exit(0)
    wait_for('begun')
    os.kill(pid, number)
    os.waitpid(pid, 0)
    wait_for('saved')


def test_refused(build):
    for name, options, settings, message in (
        ('linear', {}, dict(num_processes=3), r'=3 does not divide .*linear\.py.*=16'),
        ('linear', {'val_evaluator': None}, {}, r'linear\.py has no val_evaluator'),
        ('linear', {'train_cfg.max_epoch': 1}, {}, r'linear\.py: train_cfg\.max_epoch = 1'),
        ('semi-50', {'train_dataloader.dataset.type': 'PoseDataset'}, {}, 'takes no label subset'),
    ):
        with pytest.raises(ValueError, match=message):
            build(name, options, **settings).check()


def test_another_training_is_not_taken_for_this_one(recipe, monkeypatch, tmp_path):
    def read(batch_size=16, epochs=3, subset=None):
        cfg = Config.fromfile(recipe / 'linear.py')
        cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs = batch_size, epochs
        if subset:
            (tmp_path / 'names.txt').write_text(subset)
            cfg.train_dataloader.dataset.subset = str(tmp_path / 'names.txt')
        return cfg

    checkpoint = recipe / 'epoch_4.pth'
    own = training_identity(read(), checkpoint, 0, 16)
    moved = shutil.copy(checkpoint, tmp_path / 'moved.pth')
    assert training_identity(read(batch_size=2), moved, 0, 16) == own
    subsets = ('clip1\n', 'clip1\n', 'clip2\n')
    one, same, other = (training_identity(read(subset=s), checkpoint, 0, 16) for s in subsets)
    assert one == same != other

    record = dict(identity=own, seconds=1.0, result=dict(accuracy=12.5))
    (tmp_path / 'training.json').write_text(json.dumps(record))
    assert run_training(read(), checkpoint, tmp_path)['accuracy'] == 12.5
    for seed, epochs, key in ((1, 3, 'seed'), (0, 4, 'config'), (0, 3, 'clips')):
        if key == 'clips':  # whose identity has the version of the code
            versions = 'stars_mm.evaluation.protocols.cache_key.code_versions'
            monkeypatch.setattr(versions, lambda: dict(stars_mm='9', torch='9'))
        with pytest.raises(ValueError, match=rf"differs in \['{key}'"):
            run_training(read(epochs=epochs), checkpoint, tmp_path, seed)
    (tmp_path / 'training.json').rename(tmp_path / 'last_checkpoint')
    with pytest.raises(ValueError, match='not of a protocol'):
        run_training(read(), checkpoint, tmp_path)
