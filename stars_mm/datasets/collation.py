"""A batch as few objects: of clips, or of clips whose views are drawn and not yet made."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import FUNCTIONS
from torch import Tensor


class PlannedViews(NamedTuple):
    """A clip as it was recorded, and what each of its views will be; or N such clips.

    Frame i of a view lies between two frames of the clip, in which all joints are taken relative to
    a point, turned, and may change places; then the view's time may be redrawn by its motion. In a
    batch, the frames of all clips follow one another, and other tensors have an axis N in front.
    """

    frames: Tensor  # (M·T, V, C) of all persons as stored; zero where a person is absent
    start: Tensor  # (P, ) the first frame of the person in each slot of the views, -1 for none
    center: Tensor  # (C, ) the point that becomes the origin
    before: Tensor  # (views, T′) the frame before each frame of a view, from the person's first
    after: Tensor  # (views, T′) the frame after it
    weight: Tensor  # (views, T′) weight of the frame after, 0 to 1
    turn: Tensor  # (views, C, C) matrix for column vectors
    joints: Tensor | None  # (views, V) which joint stands in each place; None if none changes
    warp_share: float = 0.0  # of ``warp_time``, 0 where time is not redrawn
    warp_smoothing: int = 0

    @property
    def shape(self) -> torch.Size:
        """torch.Size: (views, P, T′, V, C), the shape of a clip's views."""
        views, frames = self.before.shape[-2:]
        return torch.Size((views, self.start.shape[-1], frames, *self.frames.shape[1:]))


def collate_planned_views(clips: Sequence[PlannedViews]) -> PlannedViews:
    """Puts clips of different lengths into a batch without padding; a ValueError if the views
    differ in shape or in what else they have in common."""
    shapes = sorted({tuple(clip.shape) for clip in clips})
    if len(shapes) > 1:
        raise ValueError(
            f'A batch has clips with views of different shapes (views, P, T, V, C): {shapes}.'
        )
    begins = np.cumsum([0] + [len(clip.frames) for clip in clips]).tolist()
    starts = [torch.where(c.start < 0, -1, c.start + begin) for c, begin in zip(clips, begins)]
    columns = [_stack(column) for column in zip(*(clip[2:] for clip in clips))]
    return PlannedViews(torch.cat([clip.frames for clip in clips]), torch.stack(starts), *columns)


def _stack(column: Sequence) -> Any:
    """A tensor of the clips' tensors, or the one value that all clips have."""
    if isinstance(column[0], Tensor):
        return torch.stack(column)
    if len(set(column)) > 1:
        raise ValueError(
            f'A batch has clips that PackViews was told to treat differently: {column}.'
        )
    return column[0]


class DataSamples(list):
    """A list of data samples that is quickly sent to another process.

    Torch sends each tensor through shared memory of its own, which takes
    longer for a label than making a clip. Here a label goes as an array.
    """

    def __reduce__(self) -> tuple:
        def pack(value: Any) -> Any:
            return value.numpy() if isinstance(value, Tensor) else value

        samples = [(s.metainfo, {key: pack(value) for key, value in s.items()}) for s in self]
        return _unpack, (samples,)


def _unpack(packed: list[tuple[dict, dict[str, Any]]]) -> DataSamples:
    def unpack(value: Any) -> Any:
        return torch.from_numpy(value) if isinstance(value, np.ndarray) else value

    return DataSamples(
        ActionDataSample(metainfo=about, **{key: unpack(value) for key, value in fields.items()})
        for about, fields in packed
    )


@FUNCTIONS.register_module()
def collate_clips(samples: list[dict]) -> dict:
    """Collates clips of any pipeline in the worker, so that they go to the main process, into
    pinned memory and to a GPU as a whole: N samples of ``inputs``, tensors of one shape or
    :class:`PlannedViews`, and ``data_samples`` become one tensor, or :class:`PlannedViews` of the
    batch, for ``SkeletonPreprocessor``, and a list."""
    inputs = [sample['inputs'] for sample in samples]
    collate = collate_planned_views if isinstance(inputs[0], PlannedViews) else torch.stack
    return dict(
        inputs=collate(inputs),
        data_samples=DataSamples(sample['data_samples'] for sample in samples),
    )
