"""Clips whose views are still to be made, by numbers that are drawn already."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class DeferredClip(NamedTuple):
    """A clip as it was recorded, and what each of its views is.

    Frame i of a view lies between two frames of the clip, in which all joints
    are taken relative to a point, turned, and may change places.

    Attributes:
        keypoint (Tensor): (M, T, V, C) as stored; a person who is absent from
            a frame is zero there.
        persons (Tensor): (P, ) the person in each slot of the views, -1 for none.
        center (Tensor): (C, ) the point that becomes the origin.
        before (Tensor): (views, T′) the frame before each frame of a view.
        after (Tensor): (views, T′) the frame after it.
        weight (Tensor): (views, T′) weight of the frame after, 0 to 1.
        turn (Tensor): (views, C, C) matrix for column vectors.
        joints (Tensor, optional): (views, V) which joint stands in each
            place; None if none changes.
    """

    keypoint: Tensor
    persons: Tensor
    center: Tensor
    before: Tensor
    after: Tensor
    weight: Tensor
    turn: Tensor
    joints: Tensor | None

    @property
    def shape(self) -> torch.Size:
        """torch.Size: (views, P, T′, V, C), the shape of the views."""
        *_, V, C = self.keypoint.shape
        views, frames = self.before.shape
        return torch.Size((views, len(self.persons), frames, V, C))


class DeferredBatch(NamedTuple):
    """N clips whose views are still to be made.

    Attributes:
        frames (Tensor): (F, V, C) the frames of all persons of all clips.
        start (Tensor): (N, P) the first frame of the person in each slot, -1 for none.
        center (Tensor): (N, C).
        before (Tensor): (N, views, T′), as in :class:`DeferredClip`.
        after (Tensor): (N, views, T′).
        weight (Tensor): (N, views, T′).
        turn (Tensor): (N, views, C, C).
        joints (Tensor, optional): (N, views, V).
    """

    frames: Tensor
    start: Tensor
    center: Tensor
    before: Tensor
    after: Tensor
    weight: Tensor
    turn: Tensor
    joints: Tensor | None


def merge_clips(clips: Sequence[DeferredClip]) -> DeferredBatch:
    """Puts clips of different lengths into a batch without padding.

    Args:
        clips (Sequence[DeferredClip]): N clips with views of one shape.

    Returns:
        DeferredBatch: The clips, one after another.

    Raises:
        ValueError: If the views differ in shape.
    """
    shapes = {tuple(clip.shape) for clip in clips}
    if len(shapes) > 1:
        raise ValueError(
            'A batch has clips with views of different shapes '
            f'(views, P, T, V, C): {sorted(shapes)}.'
        )
    starts, begin = [], 0
    for clip in clips:
        M, T = clip.keypoint.shape[:2]
        starts.append(torch.where(clip.persons < 0, -1, begin + clip.persons * T))
        begin += M * T
    columns = dict(
        frames=torch.cat([clip.keypoint.flatten(0, 1) for clip in clips]),
        start=torch.stack(starts),
        joints=None,
    )
    for key in DeferredBatch._fields[2:]:
        values = [getattr(clip, key) for clip in clips]
        if values[0] is not None:
            columns[key] = torch.stack(values)
    return DeferredBatch(**columns)
