"""For use: features of recordings, recognition from a few examples, export."""

from stars_mm.apis.few_shot_recognizer import FewShotRecognizer
from stars_mm.apis.inferencer import SkeletonInferencer
from stars_mm.apis.live import LiveRecognizer

__all__ = ['FewShotRecognizer', 'LiveRecognizer', 'SkeletonInferencer']
