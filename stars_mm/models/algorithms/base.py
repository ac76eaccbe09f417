from abc import abstractmethod
from typing import Any

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from stars_mm.models.utils.masking import motion_aware_masking, patchify, random_masking
from stars_mm.models.utils.views import clip_features, clip_parts


class BaseSkeletonSSL(BaseModel):
    """Base of the self-supervised algorithms for skeleton sequences.

    Args:
        backbone (dict or nn.Module): Encoder that maps (N, M, T, V, C) to (N, M, C′, T′, V′).
        head (dict or nn.Module): Target and loss.
        neck (dict or nn.Module, optional): What stands between the two.
        data_preprocessor (dict or nn.Module, optional): :class:`SkeletonPreprocessor` by default.
        init_cfg (dict, optional): mmengine's initialisation.
    """

    #: Whether training starts from an encoder that another stage trained.
    needs_pretrained = False

    def __init__(
        self,
        backbone: dict | nn.Module,
        head: dict | nn.Module,
        neck: dict | nn.Module | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            build_module(data_preprocessor or dict(type='SkeletonPreprocessor')), init_cfg
        )
        self.backbone = build_module(backbone)
        self.neck = None if neck is None else build_module(neck)
        self.head = build_module(head)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[ActionDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """mmengine's single entry to the model: ``mode`` ``'loss'`` gives the losses, ``'predict'``
        the data samples with their ``feature``, ``'tensor'`` the features alone."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.extract_feat(inputs)
        raise ValueError(f'mode must be "loss", "predict" or "tensor", got "{mode}".')

    @abstractmethod
    def loss(self, inputs: Tensor, data_samples: list[ActionDataSample]) -> dict[str, Tensor]:
        """Losses of a batch of clips of shape (N, clips, M, T, V, C)."""

    def predict(
        self, inputs: Tensor, data_samples: list[ActionDataSample]
    ) -> list[ActionDataSample]:
        """Store each sample's sequence feature (C′, ) as ``feature``."""
        for data_sample, feat in zip(data_samples, self.extract_feat(inputs)):
            data_sample.feature = feat.clone()  # a row would be saved with its whole batch
        return data_samples

    def extract_feat(self, inputs: Tensor) -> Tensor:
        """Sequence feature: mean over clips, persons, time and joints.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C).

        Returns:
            Tensor: Features of shape (N, C′).
        """
        return self.clip_features(inputs).mean(dim=1)

    def extract_joint_feat(self, inputs: Tensor) -> Tensor:
        """A vector a joint: mean over clips, persons and time. It keeps what the mean over the
        joints forgets, which of them moved: (N, clips, M, T, V, C) → (N, V′, C′)."""
        return self.extract_parts(inputs)['joints']

    def extract_parts(self, inputs: Tensor) -> dict[str, Tensor]:
        """What a feature space is made of, by one pass of the encoder.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C).

        Returns:
            dict[str, Tensor]: ``published``, what :meth:`extract_feat` gives, (N, C′), and
            ``joints``, what :meth:`extract_joint_feat` gives, (N, V′, C′).
        """
        self._check_clips(inputs)
        return clip_parts(self.backbone, inputs)

    def clip_features(self, inputs: Tensor) -> Tensor:
        """Feature of every clip: (N, clips, M, T, V, C) → (N, clips, C′)."""
        self._check_clips(inputs)
        return clip_features(self.backbone, inputs)

    def _check_clips(self, inputs: Tensor) -> None:
        if inputs.dim() != 6:
            raise ValueError(
                f'{type(self).__name__} takes inputs of shape (N, clips, M, T, V, C), got '
                f'{tuple(inputs.shape)}. End the pipeline with FormatGCNInput and PackActionInputs.'
            )


class MaskedMotionSSL(BaseSkeletonSSL):
    """Base of the algorithms that predict the motion of hidden patches: which are hidden.

    Args:
        backbone (dict or nn.Module): Encoder.
        neck (dict): Predicts patches.
        head (dict): :class:`MAMPHead`, which says how large a patch is.
        mask_ratio (float): Share of the patches that are hidden.
        motion_aware_tau (float, optional): Temperature τ of motion-aware
            masking; ``None`` masks uniformly.
        **kwargs: Those of :class:`BaseSkeletonSSL`.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        neck: dict,
        head: dict,
        mask_ratio: float = 0.9,
        motion_aware_tau: float | None = 0.8,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone, head, neck, **kwargs)
        if motion_aware_tau is not None and motion_aware_tau <= 0:
            raise ValueError(
                f'motion_aware_tau must be positive, or None for uniform masking; got '
                f'{motion_aware_tau}.'
            )
        if not 0 < mask_ratio < 1:
            raise ValueError(f'mask_ratio={mask_ratio} must lie between 0 and 1.')
        self.mask_ratio = mask_ratio
        self.motion_aware_tau = motion_aware_tau

    def mask(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Choose the patches of skeletons (B, T, V, C) to hide, by a uniform draw (B, L), made here
        by default; gives what :func:`mask_from_scores` gives."""
        patches = self.patchify(x)
        if noise is None:
            B, Tp, Vp, _ = patches.shape
            noise = torch.rand(B, Tp * Vp, device=x.device)
        if self.motion_aware_tau is None:
            return random_masking(patches, self.mask_ratio, noise)
        return motion_aware_masking(patches, self.mask_ratio, self.motion_aware_tau, noise)

    def patchify(self, x: Tensor) -> Tensor:
        """Cut skeletons into the head's patches: (B, T, V, C) → (B, T′, V′, P)."""
        return patchify(x, self.head.tubelet_size, self.head.joint_patch_size)


def build_module(cfg: dict | nn.Module) -> nn.Module:
    """Build what a config describes; a built module is taken as it is."""
    return cfg if isinstance(cfg, nn.Module) else MODELS.build(cfg)


def sample_indices(data_samples: list[ActionDataSample], device: torch.device) -> Tensor:
    """Index (N, ) of every sample in its data set, of which its metainfo has to tell."""
    if any('sample_idx' not in sample for sample in data_samples):
        raise KeyError(
            'A data sample has no "sample_idx". Put it into the last step of the pipeline: '
            "dict(type='PackActionInputs', meta_keys=('sample_idx', ))."
        )
    return torch.tensor([sample.sample_idx for sample in data_samples], device=device)
