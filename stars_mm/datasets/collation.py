"""A batch as few objects: of clips, or of clips whose views are drawn and not yet made."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import FUNCTIONS
from torch import Tensor


class PlannedViews(NamedTuple):
    """A clip as it was recorded, and what each of its views will be.

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


class PlannedViewBatch(NamedTuple):
    """N clips whose views are planned.

    Attributes:
        frames (Tensor): (F, V, C) the frames of all persons of all clips.
        start (Tensor): (N, P) the first frame of the person in each slot, -1 for none.
        center (Tensor): (N, C).
        before (Tensor): (N, views, T′), as in :class:`PlannedViews`.
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


def collate_planned_views(clips: Sequence[PlannedViews]) -> PlannedViewBatch:
    """Puts clips of different lengths into a batch without padding.

    Args:
        clips (Sequence[PlannedViews]): N clips with views of one shape.

    Returns:
        PlannedViewBatch: The clips, one after another.

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
    for key in PlannedViewBatch._fields[2:]:
        values = [getattr(clip, key) for clip in clips]
        if values[0] is not None:
            columns[key] = torch.stack(values)
    return PlannedViewBatch(**columns)


class DataSamples(list):
    """A list of data samples that is quickly sent to another process.

    Torch sends each tensor through shared memory of its own, which takes
    longer for a label than making a clip. Here a label goes as an array.
    """

    def __reduce__(self) -> tuple:
        packed = [
            (
                sample.metainfo,
                {k: v.numpy() if isinstance(v, Tensor) else v for k, v in sample.items()},
            )
            for sample in self
        ]
        return _unpack, (packed,)


def _unpack(packed: list[tuple[dict, dict[str, Any]]]) -> DataSamples:
    samples = DataSamples()
    for metainfo, fields in packed:
        for key, value in fields.items():
            if isinstance(value, np.ndarray):
                fields[key] = torch.from_numpy(value)
        samples.append(ActionDataSample(metainfo=metainfo, **fields))
    return samples


@FUNCTIONS.register_module()
def collate_clips(samples: list[dict]) -> dict:
    """Collates clips of any pipeline in the worker, so that they go to the
    main process, into pinned memory and to a GPU as a whole.

    Args:
        samples (list[dict]): N of ``inputs``, tensors of one shape or
            :class:`PlannedViews`, and ``data_samples``.

    Returns:
        dict: ``inputs`` (a tensor, or a :class:`PlannedViewBatch`), for
        ``SkeletonPreprocessor``, and ``data_samples`` (list).
    """
    inputs = [sample['inputs'] for sample in samples]
    collate = collate_planned_views if isinstance(inputs[0], PlannedViews) else torch.stack
    return dict(
        inputs=collate(inputs),
        data_samples=DataSamples(sample['data_samples'] for sample in samples),
    )
