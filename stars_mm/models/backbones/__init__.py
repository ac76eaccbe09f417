from stars_mm.models.backbones.skeleton_transformer import SkeletonTransformer

__all__ = ['SkeletonTransformer']
