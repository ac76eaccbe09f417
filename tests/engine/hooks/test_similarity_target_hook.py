"""Targets before training: those of the clips' geometry, by sample index, on a real run."""

import pytest
import torch

from stars_mm.evaluation.functional.feature_space import build_feature_space
from stars_mm.evaluation.functional.geometry import joint_distances, positions


@pytest.fixture
def taught(load_cfg, tmp_path):
    """The config of one stage with the head, and its hook's data loader for changes."""

    def _taught(**dataset):
        cfg = load_cfg(tmp_path, dict(stages=[], allow_random_init=True))
        loader = dict(cfg.val_cfg.bank_dataloader)
        loader['dataset'] = dict(loader['dataset'], **dataset)
        hook = dict(type='SimilarityTargetHook', dataloader=loader, feature_space='geometry_pulled')
        cfg.custom_hooks = [hook]
        cfg.model.head = dict(type='SimilarityHead')
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
        return cfg

    return _taught


def test_targets_of_a_run(taught, build):
    runner = build(taught())
    runner.train()
    dataset = runner.val_loop.bank_dataloader.dataset
    clips = torch.stack([dataset[n]['inputs'] for n in range(len(dataset))]).float()
    parts = dict(positions=positions(clips), distances=joint_distances(clips))
    wanted, _ = build_feature_space('geometry_pulled').compare(parts, parts)
    torch.testing.assert_close(runner.bare_model.head.targets, wanted.float(), rtol=1e-4, atol=1e-4)
    assert runner.message_hub.get_scalar('train/loss').current() > 0


def test_other_clips_are_refused(taught, build):
    runner = build(taught(split='xsub_val'))
    with pytest.raises(ValueError, match='its dataloader has 11 clips, which are not the 21'):
        runner.train()
