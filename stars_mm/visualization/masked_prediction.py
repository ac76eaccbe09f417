"""A masked clip as the decoder predicts it, from predictions back to joint positions.

A decoder of MAMP predicts motion, not places, and motion normalized patch by patch, or over the
clip. To show it, a prediction is scaled back by the *true* mean and standard deviation of its
patch, or the true scale of its clip, and added up from the *true* position at the first frame of
its token. :func:`hidden_joint_errors` says how much of the result the decoder contributes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.ticker import MultipleLocator
from torch import Tensor

from stars_mm.models.heads.mamp_head import motion, target_statistics
from stars_mm.models.utils.masking import patchify, unpatchify
from stars_mm.visualization.clip_frames import present_persons
from stars_mm.visualization.skeleton import (
    INCHES,
    Drawing,
    bones_of,
    project,
    render,
    save_gif,
    set_range,
)
from stars_mm.visualization.style import LIGHT_GREY, PALETTE, new_figure, report_style


@dataclass
class MaskedClip:
    """One clip ready to be drawn; positions in metres."""

    title: str
    true: np.ndarray  # (M, T, V, 3) the recording
    hidden: np.ndarray  # (M, T, V) bool, joints of hidden tokens
    predicted: np.ndarray  # (M, T, V, 3) integrated predictions


@dataclass(frozen=True)
class MotionDecoder:
    """What a model predicts, and how to turn it into positions."""

    tubelet_size: int  # frames of a token
    joint_patch_size: int = 1  # joints of a token
    norm_target: bool | str = True  # how predictions are normalized, as in ``MAMPHead``
    #: Frames between the positions whose difference is predicted; None: coordinates are predicted
    motion_stride: int | None = 1

    @classmethod
    def of(cls, model) -> 'MotionDecoder':
        """Read the settings off a ``MAMP`` model."""
        backbone, head = model.backbone, model.head
        sizes = backbone.tubelet_size, backbone.joint_patch_size
        return cls(*sizes, head.norm_target, head.motion_stride)

    def positions(self, pred: Tensor, x: Tensor) -> Tensor:
        """Joint positions (B, T, V, C) in metres from predictions (B, L, P) as the loss compares
        them, and the true clip. The first ``motion_stride`` frames of each token are the true
        ones."""
        stride, size = self.motion_stride, self.tubelet_size
        target = x if stride is None else motion(x, stride)
        patches = patchify(target, size, self.joint_patch_size)
        pred = pred.reshape(patches.shape)  # (B, T', V', P)
        if self.norm_target:
            mean, scale = target_statistics(patches, self.norm_target)
            pred = pred * scale + mean
        values = unpatchify(pred, size, self.joint_patch_size)
        if stride is None:
            return values
        out = x.clone()
        for start in range(0, x.shape[1], size):
            for t in range(start + stride, start + size):
                out[:, t] = out[:, t - stride] + values[:, t - stride]
        return out

    def hidden(self, mask: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Which joints (B, T, V) of a clip of a shape (B, T, V, C) belong to hidden tokens, where
        the mask (B, L) is 1."""
        B, T, V, _ = shape
        size, joints = self.tubelet_size, self.joint_patch_size
        grid = mask.reshape(B, T // size, V // joints) > 0.5
        return grid.repeat_interleave(size, 1).repeat_interleave(joints, 2)


def _to_cpu(output: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Clip, prediction and mask of ``MAMP.reconstruct``, ready for numpy."""
    return tuple(output[key].detach().cpu().float() for key in ('x', 'pred', 'mask'))


def make_masked_clips(
    output: dict[str, Tensor], decoder: MotionDecoder, titles: list[str]
) -> list[MaskedClip]:
    """Turn the output of ``MAMP.reconstruct``, ``pred (B, L, P)``, ``mask (B, L)`` and
    ``x (B, T, V, C)`` with B = clips · persons, into clips to draw, one a title."""
    x, pred, mask = _to_cpu(output)
    shape = (len(titles), len(x) // len(titles)) + x.shape[1:]
    true = x.reshape(shape).numpy()
    hidden = decoder.hidden(mask, x.shape).reshape(shape[:-1]).numpy()
    predicted = decoder.positions(pred, x).reshape(shape).numpy()
    return [MaskedClip(*clip) for clip in zip(titles, true, hidden, predicted)]


def hidden_joint_errors(output: dict[str, Tensor], decoder: MotionDecoder) -> dict[str, float]:
    """Mean distance in centimetres of drawn joints of hidden tokens from the true ones, in an
    output as for :func:`make_masked_clips`: ``decoder_cm``; ``no_decoder_cm``, all predictions 0,
    which leaves the true patch mean; ``standing_still_cm``, each joint resting where its token
    starts. Frames that integration copies from the recording are not counted, nor are persons that
    are all zeros."""
    x, pred, mask = _to_cpu(output)
    place = torch.arange(x.shape[1]) % decoder.tubelet_size
    present = x.abs().amax((1, 2, 3)) > 0
    counted = decoder.hidden(mask, x.shape) & present[:, None, None]
    counted &= (place >= (decoder.motion_stride or 0))[:, None]
    guesses = {
        'decoder_cm': decoder.positions(pred, x),
        'no_decoder_cm': decoder.positions(torch.zeros_like(pred), x),
        'standing_still_cm': x[:, torch.arange(x.shape[1]) - place],
    }
    return {
        name: round(100 * (guess - x).norm(dim=-1)[counted].mean().item(), 3)
        for name, guess in guesses.items()
    }


class _ClipRow:
    """The three panels of one clip: recording, kept tokens, prediction."""

    def __init__(self, axes: Sequence, clip: MaskedClip) -> None:
        self.persons, self.hidden = present_persons(clip.true), clip.hidden
        self.true = project(clip.true)
        self.guess = project(np.where(clip.hidden[..., None], clip.predicted, clip.true))
        bones = bones_of(clip.true.shape[2])
        colors = [PALETTE[number % len(PALETTE)] for number in range(len(self.persons))]
        grey = LIGHT_GREY
        styles = [(0, None, 1.6, 2.6), (1, grey, 1.2, 2.2), (1, None, 2.4, 6.0)]
        styles += [(2, grey, 2.4, 3.6), (2, None, 1.6, 2.6)]  # panel, color, line, dot
        self.drawings = [
            [Drawing(axes[panel], bones, own or color, *sizes) for panel, own, *sizes in styles]
            for color in colors
        ]
        for place, axis in enumerate(axes):  # the same range in metres
            set_range(axis, self.true[self.persons].reshape(-1, 2), margin=1.1)
            axis.xaxis.set_major_locator(MultipleLocator(0.5))
            axis.yaxis.set_major_locator(MultipleLocator(0.5))
            axis.tick_params(labelsize=7, colors='#666666', labelleft=place == 0)
        axes[0].set_ylabel(f'{clip.title}\nheight (m)', fontsize=9)

    def draw(self, frame: int) -> None:
        """Draw one frame in the three panels."""
        for person, drawings in zip(self.persons, self.drawings):
            true, guess = self.true[person, frame], self.guess[person, frame]
            kept = ~self.hidden[person, frame]
            for place, drawing in enumerate(drawings):
                shown = kept if place == 2 else np.ones_like(kept)
                drawing.draw(guess if place == 4 else true, shown)


def write_masked_gif(
    clips: Sequence[MaskedClip],
    path: str | Path,
    caption: str = '',
    max_frames: int = 64,
    fps: int = 12,
) -> None:
    """Animate clips of the same length T, each with somebody in it, a row a clip: recording, kept
    tokens, prediction; and a caption under them. Clips of more than ``max_frames`` skip frames."""
    lines = caption.count('\n') + 1 if caption else 0
    size = (3 * INCHES + 0.7, INCHES * len(clips) + 0.75 + 0.15 * lines)
    kept = 1 - np.mean([clip.hidden[present_persons(clip.true)].mean() for clip in clips])
    titles = ('recording', f'shown: {100 * kept:.0f} % of tokens', 'predicted (grey: truth)')
    with report_style():
        figure, axes = new_figure(len(clips), 3, figsize=size)
        rows = [_ClipRow(row, clip) for row, clip in zip(axes, clips)]
        for top, bottom, title in zip(axes[0], axes[-1], titles):
            top.set_title(title, fontsize=9.5)
            bottom.set_xlabel('across (m)', fontsize=8)
        figure.supxlabel(caption, fontsize=7, color='#444444')
        save_gif(list(render(figure, rows, clips[0].true.shape[1], max_frames)), path, fps)
