from .epoch_seed_hook import EpochSeedHook
from .frozen_cache_hook import FrozenCacheHook
from .per_tensor_grad_clip_hook import PerTensorGradClipHook

__all__ = ['EpochSeedHook', 'FrozenCacheHook', 'PerTensorGradClipHook']
