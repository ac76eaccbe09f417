"""Transforms of the STARS and MAMP recipes."""
from .center_skeleton import CenterSkeleton
from .multi_view import MultiView
from .pack_views import PackViews
from .random_mirror import RandomMirror
from .random_rot import RandomRot
from .scale_skeleton import ScaleSkeleton
from .temporal_crop_resize import TemporalCropResize

__all__ = [
    'CenterSkeleton', 'MultiView', 'PackViews', 'RandomMirror', 'RandomRot',
    'ScaleSkeleton', 'TemporalCropResize'
]
