"""What one recording of an action is made with, besides its script."""

from dataclasses import dataclass

import numpy as np

from stars_mm.demo.body import Subject


@dataclass
class Take:
    """One performance of an action by one subject."""

    subject: Subject
    rng: np.random.Generator
    side: int  # the acting one, LEFT or RIGHT
    seconds: float  # length of the action, all repetitions together
    times: int  # number of repetitions
    amplitude: float  # size of the movement, 1 is average

    def near(self, *point: float, spread: float = 0.05) -> np.ndarray:
        """A (3,) point somewhere near ``point``, in arm lengths; nobody hits it twice. The
        standard deviation ``spread`` is about 3 cm by default."""
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
