from torch import Tensor, nn


def clip_features(backbone: nn.Module, inputs: Tensor) -> Tensor:
    """Sequence feature of every clip: mean over persons, time and joints.

    Args:
        backbone (nn.Module): Encoder that maps (N, M, T, V, C) to (N, M, C′, T′, V′).
        inputs (Tensor): Clips of shape (N, clips, M, T, V, C).

    Returns:
        Tensor: Features of shape (N, clips, C′).
    """
    N, num_clips = inputs.shape[:2]
    x = backbone(inputs.flatten(0, 1))  # (N·clips, M, C′, T′, V′)
    return x.mean(dim=(1, 3, 4)).reshape(N, num_clips, -1)
