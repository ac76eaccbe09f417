from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Fewer numbers than these are not worth the detour.
MIN_NUMEL = 2**16
#: How many images the rows are dealt out to; a single thread gives
#: convolutions of fewer to another library.
_NUM_IMAGES = range(16, 65)


class Linear(nn.Linear):
    """``nn.Linear`` at the full speed of an AMD processor.

    On a CPU, torch gives single-precision matrix products to MKL, which uses half of the vector
    units of AMD processors with AVX-512, and convolutions to oneDNN, which uses all of them. A
    linear layer is a convolution with a kernel of one pixel. Everywhere else this is ``nn.Linear``.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map the last axis: (…, C_in) → (…, C_out)."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``torch.nn.functional.linear``, as :class:`Linear` computes it.

    Args:
        x (Tensor): Tokens of shape (…, C_in).
        weight (Tensor): Weight of shape (C_out, C_in).
        bias (Tensor, optional): Bias of shape (C_out, ).

    Returns:
        Tensor: Tokens of shape (…, C_out).
    """
    if (
        x.device.type != 'cpu'
        or x.numel() < MIN_NUMEL
        or x.dtype != torch.float32
        or torch.is_autocast_enabled('cpu')
        or not onednn_is_faster()
    ):
        return F.linear(x, weight, bias)
    num_rows = x.numel() // x.shape[-1]
    images = next((n for n in _NUM_IMAGES if num_rows % n == 0), None)
    if images is None:
        return F.linear(x, weight, bias)
    pixels = x.reshape(images, -1, x.shape[-1])  # channels last
    out = F.conv2d(pixels.transpose(1, 2).unsqueeze(2), weight[:, :, None, None], bias)
    return out.squeeze(2).transpose(1, 2).reshape(*x.shape[:-1], len(weight))


@lru_cache
def onednn_is_faster() -> bool:
    """Whether this is an AMD processor with AVX-512."""
    cpuinfo = Path('/proc/cpuinfo')
    return (
        torch.backends.mkldnn.is_available()
        and torch.backends.cpu.get_cpu_capability() == 'AVX512'
        and cpuinfo.exists()
        and 'AuthenticAMD' in cpuinfo.read_text()
    )
