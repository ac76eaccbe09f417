from stars_mm.models.algorithms.base import BaseSkeletonSSL
from stars_mm.models.algorithms.input_masked_mamp import InputMaskedMAMP
from stars_mm.models.algorithms.mamp import MAMP
from stars_mm.models.algorithms.mamp_nnclr import MAMPNNCLR
from stars_mm.models.algorithms.stars import STARS

__all__ = ['BaseSkeletonSSL', 'InputMaskedMAMP', 'MAMP', 'MAMPNNCLR', 'STARS']
