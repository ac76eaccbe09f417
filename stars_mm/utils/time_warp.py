"""Redraws the time of clips so that their motion goes evenly."""

import torch
import torch.nn.functional as F
from torch import Tensor

#: Mean speed (metres a frame) up to which a clip stands still: that of rounding.
_NO_MOTION = 1e-6


def warp_time(x: Tensor, share: float = 0.7, smoothing: int = 3) -> Tensor:
    """Redraws the time of every clip of a batch so that its motion goes evenly.

    A frame lasts 1 − ``share`` of what it did, and ``share`` times its speed over the clip's mean
    speed. Speed is the root mean square over the joints of the persons that are there in both
    frames and for ``smoothing`` frames around: coming and going is no motion, though resizing has
    made it a growing and shrinking over a few frames.

    Args:
        x (Tensor): (B, M, T, V, C), zero where a person is absent from a frame.
        share (float): The part of the time that goes by motion, 0 to 1.
        smoothing (int): Half width, in frames, of the moving average that is taken of the speed.

    Returns:
        Tensor: (B, M, T, V, C). A clip without motion is as it was.
    """
    return x if x.shape[2] < 2 else at_steps(x, *even_steps(x, share, smoothing))


def even_steps(x: Tensor, share: float, smoothing: int) -> tuple[Tensor, Tensor]:
    """Where :func:`warp_time` takes its frames from: for each the frame before it, (B, T), and the
    weight, 0 to 1, of the one after that, (B, T). T is 2 or more.
    """
    T = x.shape[2]
    window = 2 * smoothing + 1
    absent = (~_there(x)).float()
    absent = torch.maximum(absent[..., 1:], absent[..., :-1])  # (B, M, T − 1)
    stays = F.max_pool1d(absent, window, 1, smoothing).eq(0)
    squares = (x[:, :, 1:] - x[:, :, :-1]).square().sum(-1).mean(-1)
    speed = ((squares * stays).sum(1) / stays.sum(1).clamp(min=1)).sqrt()  # (B, T − 1)
    speed = F.avg_pool1d(speed[:, None], window, 1, smoothing, count_include_pad=False)[:, 0]
    mean = speed.mean(1, keepdim=True)
    lasts = torch.where(mean > _NO_MOTION, share * speed / mean + (1 - share), 1.0)
    # cumsum has no deterministic form on GPUs, and a product of matrices may be less precise
    end = (lasts[..., None] * lasts.new_ones(T - 1, T).triu(1)).sum(1)  # (B, T)
    when = torch.arange(T, device=x.device) * (end[:, -1:] / (T - 1))
    # the last frame that ends by then, which searchsorted finds, too, but ONNX does not know
    before = (end[:, None] <= when[..., None]).sum(2).clamp(max=T - 1) - 1
    weight = (when - end.gather(1, before)) / lasts.gather(1, before).clamp(min=1e-12)
    return before, weight.clamp(0, 1)


def at_steps(x: Tensor, before: Tensor, weight: Tensor) -> Tensor:
    """Clips (B, M, T, …) at the frames that :func:`even_steps` gives, interpolated; a person who is
    absent from one of the two is as in the nearer one.
    """
    clip = torch.arange(x.shape[0], device=x.device)[:, None, None]
    person = torch.arange(x.shape[1], device=x.device)[:, None]
    before, weight = before[:, None], weight[:, None]
    there = _there(x)
    in_both = there[clip, person, before] & there[clip, person, before + 1]  # (B, M, T)
    weight = torch.where(in_both, weight, weight.round())
    weight = weight.view(*weight.shape, *[1] * (x.ndim - 3))
    return x[clip, person, before].lerp(x[clip, person, before + 1], weight)


def _there(x: Tensor) -> Tensor:
    """Which persons are there in which frames, (B, M, T)."""
    return x.ne(0).flatten(3).any(3)
