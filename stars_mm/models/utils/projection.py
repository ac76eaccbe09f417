from torch import Tensor, nn


def projection_mlp(in_channels: int, hidden_channels: int, out_channels: int) -> nn.Sequential:
    """The layers of STARS's head in one piece, so that heads differ in their loss alone."""
    return nn.Sequential(
        nn.BatchNorm1d(in_channels),
        nn.Linear(in_channels, hidden_channels, bias=False),
        nn.BatchNorm1d(hidden_channels),
        nn.ReLU(inplace=True),
        nn.Linear(hidden_channels, out_channels),
    )


def check_channels(head: nn.Module, feat: Tensor) -> None:
    """Raise a ValueError where features (N, C) are not those a head was built for."""
    if feat.shape[1] != head.in_channels:
        raise ValueError(
            f'{type(head).__name__} has in_channels={head.in_channels}, but the features have '
            f'{feat.shape[1]} channels. Set in_channels of the head to those of the backbone (or '
            'neck).'
        )
