"""Clips as a page plays them: upright, few frames, whole numbers."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from stars_mm.preparation.layouts import SkeletonLayout, get_layout, known_layouts

#: Frames that a page keeps of a clip; what lies between them it interpolates.
MAX_FRAMES = 48
_MAX_PERSONS = 2
#: Transforms that say where a joint is; those of time are left out, for what moves to look as it
#: was recorded.
_SPATIAL = {'MapJoints', 'CenterSkeleton', 'ScaleSkeleton', 'PreNormalize3D'}
_LARGEST = 32767  # of int16


def packed(values: Any, dtype: str) -> str:
    """An array as base64 of its little-endian numbers."""
    array = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder('<'))
    return base64.b64encode(array.tobytes()).decode('ascii')


def recorded_clip(dataset: BaseDataset, index: int) -> tuple[np.ndarray, SkeletonLayout | None]:
    """Joints (M, T, V, 3) of a clip as it was recorded, y upwards, as far as the data set's
    pipeline moves and turns them, and what they are, if that is known."""
    results = dataset.get_data_info(index)
    while hasattr(dataset, 'datasets'):  # a union
        number, index = dataset._get_ori_dataset_idx(index)
        dataset = dataset.datasets[number]
    results['keypoint'] = np.asarray(results['keypoint'], dtype=np.float32)
    for step in dataset.pipeline.transforms:
        if type(step).__name__ in _SPATIAL:
            results = step(results)
    return upright(results['keypoint']), results.get('layout')


def upright(joints: np.ndarray) -> np.ndarray:
    """Joints (M, T, V, C) as (M, T, V, 3): of 3D as they are, of 2D, where y points downwards,
    turned over, and flat."""
    if joints.shape[-1] > 2:
        return joints[..., :3]
    x, y = np.moveaxis(joints, -1, 0)
    present = joints.any(axis=(2, 3), keepdims=True)[..., 0]  # absent persons stay zero
    return np.stack([x, np.where(present, -y, 0), np.zeros_like(x)], axis=-1)


def present_persons(joints: np.ndarray) -> list[int]:
    """Persons of a clip (M, T, V, C) who are there: not all zeros, not a repeated one."""
    found: list[int] = []
    for person, clip in enumerate(joints):
        if clip.any() and not any(np.array_equal(clip, joints[other]) for other in found):
            found.append(person)
    return found


def pack_clip(joints: np.ndarray) -> dict[str, Any]:
    """Joints (M, T, V, 3) for the page: persons ``m``, frames ``t``, ``scale`` of the numbers
    ``q`` (int16, (m, t, V, 3)), and the ``frames`` of the recording. A joint of zeros stays so."""
    persons = present_persons(joints)[:_MAX_PERSONS] or [0]
    length = joints.shape[1]
    frames = chosen_frames(length)
    kept = np.nan_to_num(joints[persons][:, frames])
    scale = float(np.abs(kept).max()) / _LARGEST or 1.0
    return dict(
        m=len(persons),
        t=len(frames),
        frames=length,
        scale=scale,
        q=packed(np.round(kept / scale), 'int16'),
    )


def chosen_frames(length: int) -> np.ndarray:
    """Up to ``MAX_FRAMES`` of a clip's frames, evenly."""
    return np.linspace(0, length - 1, min(length, MAX_FRAMES)).round().astype(int)


def skeleton_of(num_joints: int, layout: SkeletonLayout | None) -> dict[str, Any]:
    """What a page draws between joints: ``bones`` as (joint, parent), ``side`` of each joint (−1
    left, 1 right, 0 neither), and the ``head``, if there is one; where the layout is not known,
    those of the only known one of so many joints."""
    if layout is None or layout.num_joints != num_joints:
        known = [get_layout(name) for name in known_layouts()]
        alike = [layout for layout in known if layout.num_joints == num_joints]
        if len(alike) != 1:  # drawn as dots
            return dict(joints=num_joints, bones=[], side=[0] * num_joints, head=None)
        layout = alike[0]
    side = [0] * num_joints
    for left, right in layout.pairs:
        side[left], side[right] = -1, 1
    heads = [number for number, name in enumerate(layout.joints) if 'head' in name.lower()]
    return dict(joints=num_joints, bones=layout.bones, side=side, head=heads[-1] if heads else None)


def choose_clips(order: Sequence[int], needs: Any, size: int, budget: int) -> list[int]:
    """The clips that a page keeps the joints of: those of an order, each with what it ``needs`` (a
    function of a clip that gives more), until their ``size`` in bytes each exceeds the budget."""
    chosen: dict[int, None] = {}
    for clip in order:
        if len(chosen) * size >= budget:
            break
        chosen.update(dict.fromkeys([clip, *needs(clip)]))
    return list(chosen)
