from .epoch_seed_hook import EpochSeedHook
from .per_tensor_grad_clip_hook import PerTensorGradClipHook

__all__ = ['EpochSeedHook', 'PerTensorGradClipHook']
