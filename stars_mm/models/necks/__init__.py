from .frame_predictor import FramePredictor
from .mamp_decoder import MAMPDecoder

__all__ = ['FramePredictor', 'MAMPDecoder']
