from .dino_head import DINOHead
from .joint_mlp_head import JointMLPHead
from .linear_probe_head import LinearProbeHead
from .mamp_head import MAMPHead
from .moco_head import MoCoHead
from .nnclr_head import NNCLRHead

__all__ = [
    'DINOHead', 'JointMLPHead', 'LinearProbeHead', 'MAMPHead', 'MoCoHead',
    'NNCLRHead'
]
