from stars_mm.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from stars_mm.engine.hooks.baseline_hook import BaselineHook
from stars_mm.engine.hooks.collapse_hook import CollapseHook
from stars_mm.engine.hooks.epoch_seed_hook import EpochSeedHook
from stars_mm.engine.hooks.mean_loss_hook import MeanLossHook
from stars_mm.engine.hooks.non_finite_hook import NonFiniteHook
from stars_mm.engine.hooks.per_tensor_grad_clip_hook import PerTensorGradClipHook
from stars_mm.engine.hooks.similarity_target_hook import SimilarityTargetHook

__all__ = [
    'AtomicCheckpointHook',
    'BaselineHook',
    'CollapseHook',
    'EpochSeedHook',
    'MeanLossHook',
    'NonFiniteHook',
    'PerTensorGradClipHook',
    'SimilarityTargetHook',
]
