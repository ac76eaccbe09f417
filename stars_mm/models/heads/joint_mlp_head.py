from typing import Any

from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class JointMLPHead(BaseHead):
    """MLP on the features of all joints side by side, for finetuning.

    The feature is the mean over persons and time, so that the classifier sees
    which joint moves; an empty person slot counts like any other.

    Args:
        num_classes (int): Number of classes.
        in_channels (int): Channels C of the backbone.
        num_joints (int): Joints V′ of the backbone's feature map.
        hidden_channels (int): Hidden channels of the MLP.
        dropout (float): Dropout of the feature map, before the mean.
        label_smooth_eps (float): Label smoothing.
        **kwargs: Those of mmaction2's ``BaseHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 256,
        num_joints: int = 25,
        hidden_channels: int = 2048,
        dropout: float = 0.3,
        label_smooth_eps: float = 0.1,
        **kwargs: Any,
    ) -> None:
        for name, value in (('dropout', dropout), ('label_smooth_eps', label_smooth_eps)):
            if not 0 <= value < 1:
                raise ValueError(f'{name}={value} must lie in [0, 1).')
        kwargs.setdefault('average_clips', 'prob')
        kwargs.setdefault('init_cfg', dict(type='Xavier', layer='Linear', distribution='uniform'))
        super().__init__(num_classes, in_channels, label_smooth_eps=label_smooth_eps, **kwargs)
        self.num_joints = num_joints
        self.dropout = nn.Dropout(dropout)
        self.fc1 = nn.Linear(num_joints * in_channels, hidden_channels)
        self.bn = nn.BatchNorm1d(hidden_channels)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Linear(hidden_channels, num_classes)

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Logits (N, num_classes) of a feature map (N, M, C, T′, V′).

        Raises:
            ValueError: If the feature map has other channels or joints.
        """
        N, _, C, _, V = x.shape
        if (C, V) != (self.in_channels, self.num_joints):
            raise ValueError(
                f'JointMLPHead has in_channels={self.in_channels}, num_joints={self.num_joints}, '
                f'but the feature map has {C} channels and {V} joints. Set both in cls_head to '
                'what the backbone gives.'
            )
        x = self.dropout(x).mean(dim=(1, 3)).transpose(1, 2).reshape(N, V * C)
        return self.fc2(self.relu(self.bn(self.fc1(x))))
