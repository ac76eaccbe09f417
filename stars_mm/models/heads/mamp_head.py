import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from stars_mm.models.utils.masking import patchify

TARGET_EPS = 1e-6  # of the patch normalisation, as in MAE
CLIP_EPS = 1e-8  # m²: a clip that moves less than 0.1 mm a frame is not blown up


@MODELS.register_module()
class MAMPHead(BaseModule):
    """Target and loss of masked motion prediction (arXiv 2308.07092, 3.4).

    Args:
        norm_target (bool or str): ``True`` normalises each target patch by its
            own mean and standard deviation; ``'clip'`` divides all patches of
            a person's clip by one scale, the root of their mean square, which
            leaves how fast a joint is against the others; ``False`` does nothing.
        motion_stride (int, optional): Frames between the two positions whose
            difference is the motion. ``None`` predicts the coordinates
            themselves, as a plain masked autoencoder does.
        tubelet_size (int): Frames in a patch; ``MAMP`` fills it in.
        joint_patch_size (int): Joints in a patch; ``MAMP`` fills it in.
    """

    def __init__(
        self,
        norm_target: bool | str = True,
        motion_stride: int | None = 1,
        tubelet_size: int = 4,
        joint_patch_size: int = 1,
    ) -> None:
        super().__init__()
        if motion_stride is not None and motion_stride < 1:
            raise ValueError(
                f'motion_stride must be at least 1 frame, or None for coordinates; got '
                f'{motion_stride}.'
            )
        if norm_target not in (True, False, 'clip'):
            raise ValueError(
                f"norm_target={norm_target!r} must be True (by patch), 'clip' or False."
            )
        self.norm_target = norm_target
        self.motion_stride = motion_stride
        self.tubelet_size = tubelet_size
        self.joint_patch_size = joint_patch_size

    def loss(self, pred: Tensor, x: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Squared error over the hidden patches of the whole batch.

        Args:
            pred (Tensor): Predicted patches, (B, L, P).
            x (Tensor): Skeletons, (B, T, V, C).
            mask (Tensor): 1 where a token is hidden, (B, L).

        Returns:
            dict[str, Tensor]: The scalar ``loss``.
        """
        error = (pred.float() - self.target(x)).square().mean(dim=-1)  # (B, L)
        return dict(loss=(error * mask).sum() / mask.sum())

    def loss_hidden(self, pred: Tensor, x: Tensor, ids_hidden: Tensor) -> dict[str, Tensor]:
        """The same loss, of predictions (B, H, P) of the hidden patches alone, whose places in the
        sequence are ``ids_hidden`` (B, H)."""
        rows = torch.arange(len(x), device=x.device)[:, None]
        target = self.target(x)[rows, ids_hidden]  # (B, H, P)
        return dict(loss=(pred.float() - target).square().mean())

    def target(self, x: Tensor) -> Tensor:
        """What is to be predicted: (B, T, V, C) → (B, L, P)."""
        if self.motion_stride is not None:
            x = motion(x, self.motion_stride)
        target = patchify(x, self.tubelet_size, self.joint_patch_size).flatten(1, 2)  # (B, L, P)
        if self.norm_target:
            mean, scale = target_statistics(target, self.norm_target)
            target = (target - mean) / scale
        return target


def target_statistics(patches: Tensor, norm_target: bool | str) -> tuple[Tensor, Tensor]:
    """What normalized patches (B, …, P) are less and over: their own mean and standard deviation
    (B, …, 1), or for ``'clip'`` zero and one scale (B, …, 1)."""
    if norm_target == 'clip':
        axes = tuple(range(1, patches.dim()))
        scale = (patches.square().mean(dim=axes, keepdim=True) + CLIP_EPS).sqrt()
        return torch.zeros_like(scale), scale
    mean = patches.mean(dim=-1, keepdim=True)
    var = patches.var(dim=-1, keepdim=True)  # unbiased
    return mean, (var + TARGET_EPS).sqrt()


def motion(x: Tensor, stride: int) -> Tensor:
    """Motion x(t + stride) − x(t) of skeletons (B, T, V, C), zero in the last ``stride`` frames.

    Raises:
        ValueError: If the sequences have no frame ``stride`` frames later.
    """
    if stride >= x.shape[1]:
        raise ValueError(
            f'motion_stride={stride} leaves no motion in a clip of {x.shape[1]} frames.'
        )
    motion = torch.zeros_like(x)
    motion[:, :-stride] = x[:, stride:] - x[:, :-stride]
    return motion
