"""The transforms of a test pipeline on batches of raw clips, in operations that export.

A step maps clips (N, M, T, V, C), float32, zero where a person is absent and after a clip's end,
and their lengths (N, ), to the same after its transform. All of a batch goes at once, whatever the
numbers of clips, persons and frames.
"""

from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from mmaction.registry import TRANSFORMS
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from stars_mm.datasets.transforms.center_skeleton import NO_DIRECTION, CenterSkeleton
from stars_mm.datasets.transforms.map_joints import MapJoints
from stars_mm.datasets.transforms.motion_time_warp import MotionTimeWarp
from stars_mm.datasets.transforms.scale_skeleton import ScaleSkeleton
from stars_mm.datasets.transforms.temporal_crop_resize import TemporalCropResize
from stars_mm.preparation.layouts import SkeletonLayout, joint_map
from stars_mm.utils.time_warp import warp_time

Batch = tuple[Tensor, Tensor]


class RawCoordinatesStep(nn.Module):
    """What :class:`SkeletonInferencer` does before the pipeline: metres; of places in an image,
    whose y points down, a body in a plane."""

    def __init__(self, factor: float, flat: bool) -> None:
        super().__init__()
        self.factor, self.flat = factor, flat

    def forward(self, x: Tensor, length: Tensor) -> Batch:
        if self.factor != 1:
            x = x * self.factor
        if self.flat:
            x = torch.cat([x[..., :1], -x[..., 1:2], torch.zeros_like(x[..., :1])], dim=-1)
        return x, length


class MapJointsStep(nn.Module):
    """:class:`MapJoints`."""

    weights: Tensor

    def __init__(self, transform: MapJoints, layout: SkeletonLayout) -> None:
        super().__init__()
        weights = joint_map(transform.source or layout, transform.target)  # (V′, V)
        self.register_buffer('weights', torch.from_numpy(weights))

    def forward(self, x: Tensor, length: Tensor) -> Batch:
        return self.weights @ x, length


class CenterSkeletonStep(nn.Module):
    """:class:`CenterSkeleton`."""

    def __init__(self, transform: CenterSkeleton) -> None:
        super().__init__()
        self.center_joint = transform.center_joint
        self.align, self.upright = transform.align, transform.upright

    def forward(self, x: Tensor, length: Tensor) -> Batch:
        there = is_there(x)
        # of the first person who is there at all, the first frame
        index = there.flatten(1).int().argmax(dim=1)
        first = x.flatten(1, 2)[torch.arange(x.shape[0], device=x.device), index]  # (N, V, C)
        x = x - first[:, None, None, self.center_joint, None]
        turn = self._turn(first)
        if turn is not None:
            x = (x[..., None, :] * turn[:, None, None, None]).sum(dim=-1)
        return torch.where(there[..., None, None], x, 0.0), length

    def _turn(self, first: Tensor) -> Tensor | None:
        turn = None
        if self.upright:
            lower, upper = self.upright
            turn = turn_to_y(first[:, upper] - first[:, lower])
        if self.align:
            left, right = self.align
            across = first[:, right] - first[:, left]
            if turn is None:
                return turn_to_x(across)
            turn = turn_to_x((turn @ across[..., None])[..., 0]) @ turn
        return turn


class ScaleSkeletonStep(nn.Module):
    """:class:`ScaleSkeleton`."""

    def __init__(self, transform: ScaleSkeleton) -> None:
        super().__init__()
        self.size = transform.size

    def forward(self, x: Tensor, length: Tensor) -> Batch:
        there = is_there(x).flatten(1)  # (N, M·T)
        offset = x - x.mean(dim=3, keepdim=True)
        sizes = offset.square().sum(-1).mean(-1).sqrt().flatten(1)
        sizes = torch.where(there, sizes, torch.inf).sort(dim=1).values
        # their median
        count = there.sum(dim=1, keepdim=True)
        middle = torch.cat([(count - 1) // 2, count // 2], dim=1).clamp(min=0)
        size = sizes.gather(1, middle.clamp(max=sizes.shape[1] - 1)).mean(dim=1)
        scaled = size.isfinite() & (size > 0)
        factor = torch.where(scaled, self.size / torch.where(scaled, size, 1.0), 1.0)
        return x * factor[:, None, None, None, None], length


class TemporalCropResizeStep(nn.Module):
    """:class:`TemporalCropResize` of the middle part, in whole numbers, and so exactly."""

    def __init__(self, transform: TemporalCropResize) -> None:
        super().__init__()
        if transform.random:
            raise ValueError(f'{transform}: crops at random. Give the pipeline of the tests.')
        self.clip_len = transform.clip_len
        cut = Fraction((1 - transform.p_interval) / 2).limit_denominator(10**6)
        self.cut = cut.numerator, cut.denominator

    def forward(self, x: Tensor, length: Tensor) -> Batch:
        begin = length * self.cut[0] // self.cut[1]
        length = (length - 2 * begin)[:, None]
        # half-pixel centres: new frame i lies at (i + 1/2)·length/clip_len − 1/2
        step = 2 * self.clip_len
        place = (2 * torch.arange(self.clip_len, device=x.device) + 1) * length - self.clip_len
        place = torch.minimum(place.clamp(min=0), (length - 1) * step)
        before = place // step
        weight = (place - before * step).float() / step
        clip = torch.arange(x.shape[0], device=x.device)[:, None]
        frames, before = x.transpose(1, 2), before + begin[:, None]
        after = torch.minimum(before + 1, begin[:, None] + length - 1)
        x = frames[clip, before]  # (N, T′, M, V, C)
        x = x + (frames[clip, after] - x) * weight[:, :, None, None, None]
        return x.transpose(1, 2), torch.full_like(begin, self.clip_len)


class MotionTimeWarpStep(nn.Module):
    """:class:`MotionTimeWarp` of clips of one length."""

    def __init__(self, transform: MotionTimeWarp) -> None:
        super().__init__()
        self.share, self.smoothing = transform.share, transform.smoothing

    def forward(self, x: Tensor, length: Tensor) -> Batch:
        return warp_time(x, self.share, self.smoothing), length


class FormatGCNInputStep(nn.Module):
    """mmaction2's ``FormatGCNInput``, without the axis of views. With ``loop``, a clip is of one
    person where all others of the batch's slots are empty."""

    def __init__(self, num_person: int, mode: str) -> None:
        super().__init__()
        self.num_person = num_person
        self.loops = mode == 'loop'

    def forward(self, x: Tensor, length: Tensor) -> Batch:
        x = F.pad(x, (0, 0) * 3 + (0, self.num_person))
        first, others = x[:, :1], x[:, 1:]
        if self.loops:
            alone = others.eq(0).flatten(1).all(dim=1)[:, None, None, None, None]
            others = torch.where(alone, first, others)
        return torch.cat([first, others[:, : self.num_person - 1]], dim=1), length


def build_steps(pipeline: Sequence[dict], layout: SkeletonLayout) -> list[nn.Module]:
    """The steps of a test pipeline, up to ``FormatGCNInput``, for clips of a layout's joints.

    Raises:
        ValueError: Names the transform that has no counterpart here, or stands in a wrong place.
    """
    steps: list[nn.Module] = []
    with DefaultScope.overwrite_default_scope('mmaction'):
        transforms = [TRANSFORMS.build(dict(cfg)) for cfg in pipeline]
    for transform in transforms:
        name = type(transform).__name__
        if name == 'PackActionInputs':
            continue
        if name == 'MapJoints':
            steps.append(MapJointsStep(transform, layout))
        elif name == 'FormatGCNInput':
            steps.append(FormatGCNInputStep(transform.num_person, transform.mode))
        elif name in _STEPS:
            steps.append(_STEPS[name](transform))
        else:
            known = ['MapJoints', *_STEPS, 'FormatGCNInput']
            raise ValueError(
                f'{transform}: cannot be exported, only {", ".join(known)} can. Change the '
                "config's test pipeline, or leave it out and do it to the clips before."
            )
    order = [type(step) for step in steps]
    if order.count(TemporalCropResizeStep) != 1 or order[-1:] != [FormatGCNInputStep]:
        raise ValueError(
            f'pipeline {[type(transform).__name__ for transform in transforms]}: needs '
            'TemporalCropResize once, and FormatGCNInput at its end.'
        )
    if MotionTimeWarpStep in order[: order.index(TemporalCropResizeStep)]:
        raise ValueError('MotionTimeWarp comes before TemporalCropResize. Put it after.')
    return steps


_STEPS = dict(
    CenterSkeleton=CenterSkeletonStep,
    ScaleSkeleton=ScaleSkeletonStep,
    TemporalCropResize=TemporalCropResizeStep,
    MotionTimeWarp=MotionTimeWarpStep,
)


def is_there(x: Tensor) -> Tensor:
    """Which persons are there in which frames of clips (N, M, T, V, C): (N, M, T)."""
    return x.ne(0).flatten(3).any(3)


def turn_to_x(direction: Tensor) -> Tensor:
    """The turns (N, 3, 3) about the vertical that put directions (N, 3) above +x, see
    :func:`stars_mm.datasets.transforms.center_skeleton.turn_to_x`."""
    x, _, z = direction.unbind(dim=1)
    cos, sin = _cos_sin(x, z)
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    return torch.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], 1).unflatten(1, (3, 3))


def turn_to_y(direction: Tensor) -> Tensor:
    """The smallest turns (N, 3, 3) that put directions (N, 3) along +y, see
    :func:`stars_mm.datasets.transforms.center_skeleton.turn_to_y`."""
    to_x = turn_to_x(direction)
    x, y, _ = (to_x @ direction[..., None])[..., 0].unbind(dim=1)
    cos, sin = _cos_sin(y, x)
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    up = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], 1).unflatten(1, (3, 3))
    return to_x.mT @ up @ to_x


def _cos_sin(along: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
    length = (along.square() + across.square()).sqrt()
    safe = length.clamp(min=NO_DIRECTION)
    turns = length >= NO_DIRECTION
    return torch.where(turns, along / safe, 1.0), torch.where(turns, across / safe, 0.0)
