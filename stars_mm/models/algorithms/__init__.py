from .base import BaseSkeletonSSL
from .mamp import MAMP
from .stars import STARS

__all__ = ['BaseSkeletonSSL', 'MAMP', 'STARS']
