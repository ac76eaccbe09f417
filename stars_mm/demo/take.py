"""What one recording of an action is made with, besides its script."""

from dataclasses import dataclass

import numpy as np

from stars_mm.demo.body import Subject


@dataclass
class Take:
    """One performance of an action by one subject.

    Args:
        subject (Subject): Who performs.
        rng (np.random.Generator): Source of chance.
        side (int): Acting side, ``LEFT`` or ``RIGHT``.
        seconds (float): Length of the action, all repetitions together.
        times (int): Number of repetitions.
        amplitude (float): Size of the movement, 1 is average.
    """

    subject: Subject
    rng: np.random.Generator
    side: int
    seconds: float
    times: int
    amplitude: float

    def near(self, *point: float, spread: float = 0.05) -> np.ndarray:
        """A (3,) point somewhere near ``point``; nobody hits it twice.

        Args:
            point (float): Three coordinates in arm lengths.
            spread (float): Standard deviation; the default is about 3 cm.
        """
        return np.array(point) + self.rng.normal(0, spread, size=3)

    def between(self, low: float, high: float) -> float:
        """A uniform draw."""
        return self.rng.uniform(low, high)

    def chance(self, share: float) -> bool:
        """True in a ``share`` of all takes."""
        return self.rng.random() < share

    def wave(self, progress: np.ndarray, hertz: float) -> np.ndarray:
        """A (T,) sinusoid over the action, with a random phase, whose
        frequency wanders by a tenth as that of a person does."""
        hertz = hertz * self.subject.tempo
        seconds = progress * self.seconds
        wobble = 0.1 * np.sin(2 * np.pi * self.between(0.2, 0.5) * seconds)
        phase = self.between(0, 2 * np.pi)
        return np.sin(2 * np.pi * hertz * seconds + phase + 2 * wobble)
