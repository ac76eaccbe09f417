"""Transforms of the STARS and MAMP recipes."""

from stars_mm.datasets.transforms.center_skeleton import CenterSkeleton
from stars_mm.datasets.transforms.map_joints import MapJoints
from stars_mm.datasets.transforms.motion_time_warp import MotionTimeWarp
from stars_mm.datasets.transforms.multi_view import MultiView
from stars_mm.datasets.transforms.pack_views import PackViews
from stars_mm.datasets.transforms.random_mirror import RandomMirror
from stars_mm.datasets.transforms.random_rot import RandomRot
from stars_mm.datasets.transforms.scale_skeleton import ScaleSkeleton
from stars_mm.datasets.transforms.temporal_crop_resize import TemporalCropResize

__all__ = [
    'CenterSkeleton',
    'MapJoints',
    'MotionTimeWarp',
    'MultiView',
    'PackViews',
    'RandomMirror',
    'RandomRot',
    'ScaleSkeleton',
    'TemporalCropResize',
]
