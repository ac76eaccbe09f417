from .base import BaseSkeletonSSL
from .input_masked_mamp import InputMaskedMAMP
from .mamp import MAMP
from .mamp_nnclr import MAMPNNCLR
from .stars import STARS

__all__ = [
    'BaseSkeletonSSL', 'InputMaskedMAMP', 'MAMP', 'MAMPNNCLR', 'STARS'
]
