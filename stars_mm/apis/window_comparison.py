from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from stars_mm.apis.inputs import InputClip
from stars_mm.evaluation.functional.feature_space import CLIP_PARTS, FeatureSpace

if TYPE_CHECKING:
    from stars_mm.apis.few_shot_recognizer import FewShotRecognizer


class WindowComparison:
    """Compares windows of a recording with a recognizer's examples, those that are worth it.

    The parts of a feature that are a clip's own geometry take a twentieth of the time of those that
    need the encoder. Of several windows that exclude each other, only those are encoded that are
    most similar to an example by their geometry.

    Args:
        recognizer (FewShotRecognizer): Has learned.
    """

    def __init__(self, recognizer: 'FewShotRecognizer') -> None:
        self.recognizer = recognizer
        whitenings = recognizer.space.whitenings
        names = [name for name in whitenings if name in CLIP_PARTS]
        self.encoded = [name for name in whitenings if name not in names]
        self.geometry = FeatureSpace(names) if names and self.encoded else None
        if self.geometry is None:  # nothing to choose by, or nothing to gain
            self.encoded = list(whitenings)
            return
        self.geometry.whitenings = {name: whitenings[name] for name in names}
        widths = [whitening.projection.shape[1] for whitening in whitenings.values()]
        blocks = dict(zip(whitenings, recognizer.features.split(widths, dim=1)))
        self.examples = F.normalize(torch.cat([blocks[name] for name in names], dim=1))

    def __call__(
        self, groups: Sequence[Sequence[InputClip]], keep: int
    ) -> tuple[list[int], np.ndarray]:
        """Cosine of windows to the nearest example of every class.

        Args:
            groups (Sequence[Sequence[InputClip]]): Windows that exclude each other.
            keep (int): So many of each group are encoded.

        Returns:
            tuple[list[int], np.ndarray]: Numbers of the windows that were, counted through all
            groups, and their cosines, (windows, classes).
        """
        encode, space = self.recognizer.encode, self.recognizer.space
        inputs = encode.prepare_all([clip for group in groups for clip in group])
        chosen, parts = list(range(len(inputs))), {}
        if self.geometry is not None:
            parts = encode.measure(inputs, self.geometry.parts)
            near = (self.geometry.transform(parts) @ self.examples.t()).amax(dim=1)
            chosen = _best_of_each(near, [len(group) for group in groups], keep)
            parts = {name: part[chosen] for name, part in parts.items()}
        parts.update(encode.measure(inputs[chosen], self.encoded))
        return chosen, self.recognizer.similarities(space.transform(parts)).numpy()


def _best_of_each(near: torch.Tensor, sizes: list[int], keep: int) -> list[int]:
    """Places of the highest numbers of each of several groups that lie one after another."""
    chosen, start = [], 0
    for values in near.split(sizes):
        best = values.topk(min(keep, len(values))).indices
        chosen += (start + best).sort().values.tolist()
        start += len(values)
    return chosen
