from stars_mm.engine.hooks.epoch_seed_hook import EpochSeedHook
from stars_mm.engine.hooks.per_tensor_grad_clip_hook import PerTensorGradClipHook

__all__ = ['EpochSeedHook', 'PerTensorGradClipHook']
