"""Brings skeletons of different joints to common ones, by the joints' names."""

from functools import lru_cache

import numpy as np

from stars_mm.preparation.layouts.layout import SkeletonLayout
from stars_mm.preparation.layouts.lookup import get_layout

_ARM_OR_LEG = {
    'shoulder': ('shoulder',),
    'elbow': ('elbow',),
    'wrist': ('wrist', 'hand'),  # OpenNI has no wrists
    'hip': ('hip',),
    'knee': ('knee',),
    'ankle': ('ankle', 'foot'),  # OpenNI and Human3.6M call it foot
}
#: Joint → what it is taken from, the best first: joints that are averaged, of the source or further
#: up in this table. 'neck' is between the shoulders and 'torso' midway from there to the hips:
#: Kinect v1's spine, a hand above the hips, is not.
_CHOICES: dict[str, tuple[str, ...]] = {
    f'{side}_{joint}': tuple(f'{side}_{choice}' for choice in choices)
    for side in ('left', 'right')
    for joint, choices in _ARM_OR_LEG.items()
} | {
    'head': ('head', 'left_ear right_ear', 'nose'),
    'neck': (
        *('spine_shoulder', 'shoulder_center', 'thorax', 'neck', 'neck_base'),
        'left_shoulder right_shoulder',
    ),
    'hips': ('left_hip right_hip',),
    'torso': ('spine_mid', 'torso', 'neck hips'),
}


def joint_map(
    source: str | dict | SkeletonLayout, target: str | dict | SkeletonLayout = 'common-15'
) -> np.ndarray:
    """Weights that make a target's joints of a source's, (V′, V) float32; each row sums to 1.

    Joints are found by their names: wrists are hands and ankles feet where there are no others,
    the torso is midway between neck and hips, and so on.

    Args:
        source (str, dict or SkeletonLayout): See :func:`get_layout`.
        target (str, dict or SkeletonLayout): 'common-15', or a layout of some of its joints.

    Raises:
        ValueError: Names the joints that cannot be had, and what they could be had from.
    """
    return _joint_map(get_layout(source), get_layout(target)).copy()


@lru_cache(maxsize=64)
def _joint_map(source: SkeletonLayout, target: SkeletonLayout) -> np.ndarray:
    found = dict(zip(source.joints, np.eye(source.num_joints)))
    missing = {}
    for joint in target.joints:
        if joint not in _CHOICES:
            why = f'joint {joint!r} is none of {[*_CHOICES]}'
            raise ValueError(f'layout {target.name!r}: {why}, which others can be mapped to.')
    for joint, choices in _CHOICES.items():
        for choice in choices:
            if found.keys() >= set(choice.split()):
                found[joint] = np.mean([found[name] for name in choice.split()], axis=0)
                break
        else:
            missing[joint] = ' or '.join(choice.replace(' ', ' and ') for choice in choices)
    lacking = [f'{joint} (from {missing[joint]})' for joint in target.joints if joint in missing]
    if lacking:
        raise ValueError(
            f'layout {source.name!r} cannot be mapped to {target.name!r}: nothing gives '
            f'{", ".join(lacking)}. Name its joints so in a layout file; it has '
            f'{", ".join(source.joints)}.'
        )
    return np.array([found[joint] for joint in target.joints], np.float32)
