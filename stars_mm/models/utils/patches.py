from torch import Tensor


def patchify(x: Tensor, tubelet_size: int, joint_patch_size: int) -> Tensor:
    """Cut skeleton sequences into patches of frames × joints.

    Args:
        x (Tensor): Sequences of shape (B, T, V, C).
        tubelet_size (int): Frames in a patch; divides T.
        joint_patch_size (int): Joints in a patch; divides V.

    Returns:
        Tensor: Patches of shape (B, T′, V′, P) with T′ = T / tubelet_size,
        V′ = V / joint_patch_size and P = tubelet_size · joint_patch_size · C,
        the values of a patch in the order (frame, joint, channel).

    Raises:
        ValueError: If the patches do not fill the sequence.
    """
    B, T, V, C = x.shape
    t, v = tubelet_size, joint_patch_size
    if T % t or V % v:
        raise ValueError(
            f'A clip of {T} frames and {V} joints cannot be cut into patches '
            f'of tubelet_size={t} frames and joint_patch_size={v} joints.'
        )
    x = x.reshape(B, T // t, t, V // v, v, C).transpose(2, 3)
    return x.reshape(B, T // t, V // v, t * v * C)


def unpatchify(patches: Tensor, tubelet_size: int, joint_patch_size: int) -> Tensor:
    """Put patches back together: the inverse of :func:`patchify`.

    Args:
        patches (Tensor): Patches of shape (B, T′, V′, P).
        tubelet_size (int): Frames in a patch.
        joint_patch_size (int): Joints in a patch.

    Returns:
        Tensor: Sequences of shape (B, T, V, C).
    """
    B, Tp, Vp, P = patches.shape
    t, v = tubelet_size, joint_patch_size
    x = patches.reshape(B, Tp, Vp, t, v, P // (t * v)).transpose(2, 3)
    return x.reshape(B, Tp * t, Vp * v, P // (t * v))
