from stars_mm.models.utils.feature_queue import FeatureQueue
from stars_mm.models.utils.gather import gather_with_grad, gather_without_grad
from stars_mm.models.utils.masking import motion_aware_masking, random_masking
from stars_mm.models.utils.patches import patchify, unpatchify
from stars_mm.models.utils.transformer import TransformerBlock, init_transformer_weights

__all__ = [
    'FeatureQueue',
    'TransformerBlock',
    'gather_with_grad',
    'gather_without_grad',
    'init_transformer_weights',
    'motion_aware_masking',
    'patchify',
    'random_masking',
    'unpatchify',
]
