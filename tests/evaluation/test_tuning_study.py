"""The study of tuning, on a tiny recipe."""

import json

import pytest
import torch
from mmengine.config import Config

from stars_mm.engine.features import FeatureSet
from stars_mm.evaluation.protocols.features import Encoder, FeatureReader
from stars_mm.evaluation.protocols.stage_scores import score


@pytest.fixture
def study(load_tool):
    return load_tool('benchmarks/tuning_study.py')


@pytest.mark.slow
def test_two_starts_of_half_the_clips(study, make_recipe, run_in_process, monkeypatch, tmp_path):
    """Stage 1 stops where it is said to, and goes on; what is finished is not done again."""
    monkeypatch.setattr(study, 'run_tool', run_in_process)
    make_recipe(tmp_path)
    folder, config = tmp_path / 'study', tmp_path / 'recipe.py'
    shares = ['--seeds', '3', '--fractions', '0.5', '--progress', '0.33', '0.7']
    arguments = [str(folder), '--configs', str(config), *shares, '--points', '2']
    study.main(arguments)
    first, second = json.loads((folder / 'results.json').read_text())
    # 40 clips are 5 batches of 8, 20 are 2: 3 epochs become 8, of which 33 % are 3, 70 % 6
    assert [(row['progress'], row['epoch']) for row in (first, second)] == [(0.33, 3), (0.7, 6)]
    pretrain = folder / 'data-0.5_seed-3/pretrain'
    names = ['epoch_3.pth', 'epoch_6.pth']
    assert sorted(path.name for path in pretrain.glob('*.pth')) == names
    assert torch.load(pretrain / 'epoch_6.pth')['meta']['iter'] == 12
    listed = (folder / 'data-0.5_seed-3/clips.txt').read_text().split()
    assert len(listed) == 20 == first['clips']

    reader = FeatureReader(Config.fromfile(config))
    before = reader.read_encoder(Encoder.load(pretrain / 'epoch_6.pth'))['published']
    assert second['before'] == pytest.approx(score(before))
    assert second['purity'] == pytest.approx(study.neighbor_purity(before, listed), abs=0.01)
    work_dir = folder / 'data-0.5_seed-3/recipe_0.7'
    after = reader.read_encoder(Encoder.load(work_dir / 'epoch_8.pth'))['published']
    assert second['after'] == score(after)
    assert [step for step, _ in second['curve']] == [8, 16]  # of 8 epochs of 2 iterations each
    assert '| recipe | 50% | 33% | 1 |' in (folder / 'results.md').read_text()
    times = {path: path.stat().st_mtime_ns for path in folder.rglob('*.pth')}
    study.main(arguments)
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob('*.pth')}


def test_a_share_of_the_clips_gets_the_same_iterations(study):
    schedule = [dict(begin=0, end=2), dict(begin=2, end=75, eta_min=0.0), dict(begin=75)]
    loader, train = dict(batch_size=16), dict(max_epochs=75)
    cfg = Config(dict(train_dataloader=loader, train_cfg=train, param_scheduler=schedule))
    # 720 clips are 45 iterations an epoch, a tenth of them 4
    assert study.same_iterations(cfg, 720, 0.1) == {
        'train_cfg.max_epochs': 844,
        'param_scheduler.0.begin': 0,
        'param_scheduler.0.end': 22,
        'param_scheduler.1.begin': 22,
        'param_scheduler.1.end': 844,
        'param_scheduler.2.begin': 844,
    }
    assert study.same_iterations(cfg, 720, 1.0)['train_cfg.max_epochs'] == 75
    with pytest.raises(ValueError, match='batch_size=16'):
        study.same_iterations(cfg, 720, 0.02)


def test_purity_against_loops(study):
    torch.manual_seed(0)
    feats, labels = torch.randn(60, 6), torch.randint(3, (60,))
    feats[7] = feats[5]  # which of the two comes first must not matter
    names = [f'clip{n}' for n in range(60)]
    chosen = list(range(40))[::-1]
    hits = 0
    for i in chosen:
        cosine = torch.cosine_similarity(feats[i], feats[:40], dim=1)
        cosine[i] = -2
        hits += labels[cosine.argmax()] == labels[i]
    bank = FeatureSet(feats, labels, torch.arange(60), names)
    found = study.neighbor_purity(dict(bank=bank), [names[i] for i in chosen])
    assert found == pytest.approx(100 * int(hits) / 40)
