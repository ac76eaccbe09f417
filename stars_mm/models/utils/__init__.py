from .feature_queue import FeatureQueue
from .gather import gather_with_grad, gather_without_grad
from .masking import motion_aware_masking, random_masking
from .patches import patchify, unpatchify
from .transformer import TransformerBlock, init_transformer_weights

__all__ = [
    'FeatureQueue', 'TransformerBlock', 'gather_with_grad',
    'gather_without_grad', 'init_transformer_weights', 'motion_aware_masking',
    'patchify', 'random_masking', 'unpatchify'
]
