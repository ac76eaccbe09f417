from stars_mm.models.necks.frame_predictor import FramePredictor
from stars_mm.models.necks.mamp_cross_decoder import MAMPCrossDecoder
from stars_mm.models.necks.mamp_decoder import MAMPDecoder

__all__ = ['FramePredictor', 'MAMPCrossDecoder', 'MAMPDecoder']
