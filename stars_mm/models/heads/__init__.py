from stars_mm.models.heads.dino_head import DINOHead
from stars_mm.models.heads.joint_mlp_head import JointMLPHead
from stars_mm.models.heads.linear_probe_head import LinearProbeHead
from stars_mm.models.heads.mamp_head import MAMPHead
from stars_mm.models.heads.moco_head import MoCoHead
from stars_mm.models.heads.nnclr_head import NNCLRHead
from stars_mm.models.heads.similarity_head import SimilarityHead

__all__ = [
    'DINOHead',
    'JointMLPHead',
    'LinearProbeHead',
    'MAMPHead',
    'MoCoHead',
    'NNCLRHead',
    'SimilarityHead',
]
