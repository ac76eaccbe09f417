from typing import Any

from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from torch import Tensor, nn

from stars_mm.models.utils.projection import check_channels


@MODELS.register_module()
class LinearProbeHead(BaseHead):
    """Linear classifier on the sequence feature, standardised by batch statistics: how well classes
    can be told apart without training the encoder.

    The feature is the mean over persons, time and joints; an empty person
    slot counts like any other, as in pretraining.

    Args:
        num_classes (int): Number of classes.
        in_channels (int): Channels C of the backbone.
        eps (float): Added to the variance.
        **kwargs: Those of mmaction2's ``BaseHead``.
    """

    def __init__(
        self, num_classes: int, in_channels: int = 256, eps: float = 1e-6, **kwargs: Any
    ) -> None:
        if eps <= 0:
            raise ValueError(f'eps must be positive: {eps}.')
        kwargs.setdefault('average_clips', 'prob')
        kwargs.setdefault('init_cfg', dict(type='TruncNormal', layer='Linear', std=0.01))
        super().__init__(num_classes, in_channels, **kwargs)
        self.fc = nn.Sequential(
            nn.BatchNorm1d(in_channels, affine=False, eps=eps), nn.Linear(in_channels, num_classes)
        )

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Logits (N, num_classes) of a feature map (N, M, C, T′, V′).

        Raises:
            ValueError: If the feature map has another number of channels.
        """
        feat = x.mean(dim=(1, 3, 4))  # (N, C)
        check_channels(self, feat)
        return self.fc(feat)
