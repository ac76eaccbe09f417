from typing import Any

import torch
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from torch import Tensor

from stars_mm.models.data_preprocessors.skeleton_preprocessor import SkeletonPreprocessor
from stars_mm.preparation.layouts import joint_parents

STREAMS = ('joint', 'bone', 'motion', 'bone_motion')


@MODELS.register_module()
class StreamPreprocessor(SkeletonPreprocessor):
    """Turns the joints of a batch into one of the streams that are usually
    trained apart and fused (arXiv 1912.06971, section 3.4).

    The streams are those of mmaction2's ``GenSkeFeat`` (j, b, jm, bm) put at the end of the
    pipeline. Here they are a part of the model: one line of a config changes every stage and
    loader, and a checkpoint cannot be fed with the wrong stream.

    Args:
        stream (str): ``'joint'`` leaves the coordinates, ``'bone'`` gives each
            joint's position seen from its parent, ``'motion'`` the way to the
            next frame (0 at the last), ``'bone_motion'`` that of the bones.
        layout (str or dict): Which joint is whose parent; see :func:`joint_parents`.
        scale (float): Factor on the result; frame-to-frame motion in metres
            is some ten times smaller than the coordinates.
        scored (bool): Whether the last channel is the joints' confidence: a bone and a way then
            have the mean of their two ends', as in mmaction2, and no factor.
        **kwargs: Those of :class:`SkeletonPreprocessor`.
    """

    def __init__(
        self,
        stream: str,
        layout: str | dict = 'nturgb+d',
        scale: float = 1.0,
        scored: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if stream not in STREAMS:
            raise ValueError(f'stream="{stream}" must be one of {STREAMS}.')
        if scale <= 0:
            raise ValueError(f'scale must be positive: {scale}.')
        self.stream = stream
        self.parents = joint_parents(layout)
        self.scale = scale
        self.scored = scored

    def preprocess(self, *args: Any, **kwargs: Any) -> tuple[Tensor, SampleList]:
        """Collate a batch, and make the stream of it."""
        inputs, data_samples = super().preprocess(*args, **kwargs)
        return self.to_stream(inputs), data_samples

    def to_stream(self, joints: Tensor) -> Tensor:
        """Make the stream (…, T, V, C) of joints (…, T, V, C).

        Raises:
            ValueError: If the clips have another number of joints than the layout.
        """
        V = joints.shape[-2]
        if V != len(self.parents):
            raise ValueError(
                f'StreamPreprocessor: the clips have {V} joints, its layout {len(self.parents)}. '
                'Set layout to that of the data.'
            )
        scores = joints[..., -1:]
        x = joints[..., :-1] if self.scored else joints
        if 'bone' in self.stream:
            x = x - x[..., self.parents, :]
            scores = (scores + scores[..., self.parents, :]) / 2
        if 'motion' in self.stream:
            x = append_zero(x.diff(dim=-3))
            scores = append_zero((scores[..., 1:, :, :] + scores[..., :-1, :, :]) / 2)
        x = x * self.scale
        return torch.cat((x, scores), dim=-1) if self.scored else x


def append_zero(x: Tensor) -> Tensor:
    """A frame of zeros at the end: (…, T, V, C) → (…, T + 1, V, C)."""
    return torch.cat((x, torch.zeros_like(x[..., :1, :, :])), dim=-3)
