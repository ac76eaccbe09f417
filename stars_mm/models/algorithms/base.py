from abc import abstractmethod

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from stars_mm.models.utils.pooling import clip_features


class BaseSkeletonSSL(BaseModel):
    """Base of the self-supervised algorithms for skeleton sequences.

    Args:
        backbone (dict or nn.Module): Encoder that maps (N, M, T, V, C) to (N, M, C′, T′, V′).
        head (dict or nn.Module): Target and loss.
        neck (dict or nn.Module, optional): What stands between the two.
        data_preprocessor (dict or nn.Module, optional): Collates and moves
            the batch; :class:`SkeletonPreprocessor` by default.
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
        if data_preprocessor is None:
            data_preprocessor = dict(type='SkeletonPreprocessor')
        super().__init__(build_module(data_preprocessor), init_cfg)
        self.backbone = build_module(backbone)
        if neck is not None:
            self.neck = build_module(neck)
        self.head = build_module(head)

    @property
    def with_neck(self) -> bool:
        """bool: Whether the algorithm has a neck."""
        return getattr(self, 'neck', None) is not None

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[ActionDataSample] | None = None,
        mode: str = 'tensor',
    ):
        """mmengine's single entry to the model.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C).
            data_samples (list[ActionDataSample], optional): One a sample.
            mode (str): ``'loss'`` gives the losses, ``'predict'`` the data samples with their
                sequence ``feature``, ``'tensor'`` the features alone.
        """
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
        feats = self.extract_feat(inputs)
        for data_sample, feat in zip(data_samples, feats):
            # a row of the batch would be saved with the whole batch
            data_sample.feature = feat.clone()
        return data_samples

    def extract_feat(self, inputs: Tensor) -> Tensor:
        """Sequence feature: mean over clips, persons, time and joints.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C).

        Returns:
            Tensor: Features of shape (N, C′).
        """
        return self.clip_features(inputs).mean(dim=1)

    def clip_features(self, inputs: Tensor) -> Tensor:
        """Feature of every clip: (N, clips, M, T, V, C) → (N, clips, C′)."""
        self._check_clips(inputs)
        return clip_features(self.backbone, inputs)

    def _check_clips(self, inputs: Tensor) -> None:
        if inputs.dim() != 6:
            raise ValueError(
                f'{type(self).__name__} takes inputs of shape (N, clips, M, '
                f'T, V, C), got {tuple(inputs.shape)}. End the pipeline with '
                'FormatGCNInput and PackActionInputs.'
            )


def build_module(cfg: dict | nn.Module) -> nn.Module:
    """Build what a config describes; a built module is taken as it is."""
    return cfg if isinstance(cfg, nn.Module) else MODELS.build(cfg)


def sample_indices(data_samples: list[ActionDataSample], device: torch.device) -> Tensor:
    """Index of every sample in its data set.

    Args:
        data_samples (list[ActionDataSample]): N data samples whose metainfo holds ``sample_idx``.
        device (torch.device): Where the indices are wanted.

    Returns:
        Tensor: Indices of shape (N, ).

    Raises:
        KeyError: If a data sample has no ``sample_idx``.
    """
    if any('sample_idx' not in sample for sample in data_samples):
        raise KeyError(
            'A data sample has no "sample_idx". Put it into the pipeline\'s '
            "last step: dict(type='PackActionInputs', "
            "meta_keys=('sample_idx', ))."
        )
    return torch.tensor([sample.sample_idx for sample in data_samples], device=device)
