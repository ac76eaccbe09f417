"""Brings clips of any unit to the size of a body in metres."""

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


def body_size(keypoint: np.ndarray) -> float:
    """The usual distance of a body's joints from their mean.

    Root mean square over the joints, then the median over all persons and frames of a clip
    (M, T, V, C), so that single frames that went wrong do not count; 0 where nobody is there.
    """
    bodies = keypoint[keypoint.any(axis=(2, 3))]  # (persons · frames, V, C)
    if not len(bodies):
        return 0.0
    offset = bodies - bodies.mean(axis=1, keepdims=True)
    return float(np.median(np.sqrt((offset**2).sum(-1).mean(-1))))


@TRANSFORMS.register_module()
class ScaleSkeleton(BaseTransform):
    """Scales a clip so that its bodies have one size.

    The recipe's numbers are for metres, and pixels depend on the distance
    from the camera. All persons and frames of a clip are scaled alike, so
    that movements in it keep their proportions. Centre the clip first.

    Required Keys: keypoint
    Modified Keys: keypoint (becomes float32)

    Args:
        size (float): The :func:`body_size` that clips get. 0.5 is that of grown-ups in metres.
    """

    def __init__(self, size: float = 0.5) -> None:
        if not size > 0:
            raise ValueError(f'size={size!r}: must be positive.')
        self.size = size

    def transform(self, results: dict) -> dict:
        """Scales ``results['keypoint']`` (M, T, V, C).

        A clip without a body, or with all joints in one place, stays as it is.
        """
        keypoint = results['keypoint'].astype(np.float32)
        size = body_size(keypoint)
        if size > 0:
            keypoint *= self.size / size
        results['keypoint'] = keypoint
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(size={self.size})'
