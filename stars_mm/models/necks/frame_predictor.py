from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from stars_mm.models.utils.masking import unpatchify


@MODELS.register_module()
class FramePredictor(BaseModule):
    """Predicts frames from the feature map of a backbone of any kind: each
    cell predicts the frames and joints that it stands for, by one linear
    layer, as SimMIM's decoder does (arXiv 2111.09886, section 3.3).

    Args:
        in_channels (int): Channels C′ of the feature map.
        out_channels (int): Channels C of the data.
        temporal_stride (int): Frames a cell stands for, T / T′: 4 for ``STGCN`` and ``AAGCN``.
        joint_stride (int): Joints a cell stands for, V / V′.
    """

    def __init__(
        self,
        in_channels: int = 256,
        out_channels: int = 3,
        temporal_stride: int = 4,
        joint_stride: int = 1,
    ) -> None:
        super().__init__()
        for key, value in (('temporal_stride', temporal_stride), ('joint_stride', joint_stride)):
            if value < 1:
                raise ValueError(f'{key} must be at least 1, got {value}.')
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.temporal_stride = temporal_stride
        self.joint_stride = joint_stride
        self.pred = nn.Linear(in_channels, temporal_stride * joint_stride * out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Predict frames: (B, C′, T′, V′) → (B, T, V, C).

        Raises:
            ValueError: If the feature map has another number of channels.
        """
        if x.shape[1] != self.in_channels:
            raise ValueError(
                f'FramePredictor has in_channels={self.in_channels}, but the feature map has '
                f'{x.shape[1]} channels. Set in_channels of the neck to those of the backbone.'
            )
        cells = self.pred(x.permute(0, 2, 3, 1))  # (B, T′, V′, P)
        return unpatchify(cells, self.temporal_stride, self.joint_stride)
