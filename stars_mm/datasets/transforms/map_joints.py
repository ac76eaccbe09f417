"""Brings clips of different skeletons to common joints."""

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from stars_mm.preparation.layouts import SkeletonLayout, get_layout, joint_map


@TRANSFORMS.register_module()
class MapJoints(BaseTransform):
    """Makes the joints of one skeleton of those of another, by their names.

    Each joint of the result is the mean of one or more joints of the clip, see
    :func:`stars_mm.preparation.layouts.joint_map`. It comes first in a pipeline. A person who is
    absent from a frame stays zero.

    Required Keys: keypoint, keypoint_score (optional), layout (optional)
    Modified Keys: keypoint (becomes float32), keypoint_score (becomes float32), layout

    Args:
        source (str, dict or SkeletonLayout, optional): What the clips' joints are; see
            :func:`stars_mm.preparation.layouts.get_layout`. By default what the annotation file
            says, which ``SkeletonDataset`` hands on.
        target (str, dict or SkeletonLayout): 'common-15', or a layout of some of its joints.

    Raises:
        ValueError: If the source is not known, or a joint cannot be had from it.
    """

    def __init__(
        self,
        source: str | dict | SkeletonLayout | None = None,
        target: str | dict | SkeletonLayout = 'common-15',
    ) -> None:
        self.source = None if source is None else get_layout(source)
        self.target = get_layout(target)
        if self.source is not None:
            joint_map(self.source, self.target)  # what is missing shows now

    def transform(self, results: dict) -> dict:
        """Maps ``results['keypoint']`` (M, T, V, C) to (M, T, V′, C), with its scores."""
        source = self.source or results.get('layout')
        clip = f'{self}: clip {results.get("frame_dir")!r}'
        if not isinstance(source, SkeletonLayout):
            way = "Say source, such as 'kinect-20'"
            raise ValueError(f'{clip} comes from a file that does not say its joints. {way}.')
        keypoint = results['keypoint']
        V = keypoint.shape[2]
        if V != source.num_joints:
            has = f'layout {source.name!r} has {source.num_joints}'
            raise ValueError(f'{clip} has {V} joints, and {has}. Correct source.')
        weights = joint_map(source, self.target)
        results['keypoint'] = weights @ keypoint.astype(np.float32)
        if 'keypoint_score' in results:
            results['keypoint_score'] = results['keypoint_score'].astype(np.float32) @ weights.T
        results['layout'] = self.target
        return results

    def __repr__(self) -> str:
        source = self.source and self.source.name
        return f'{self.__class__.__name__}(source={source!r}, target={self.target.name!r})'
