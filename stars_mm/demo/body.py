"""Joints (those of layout 'ntu-25'), bones, the differences between people and their takes."""

from dataclasses import dataclass

import numpy as np

NUM_JOINTS = 25
# Joints per side, in the order (left, right), which is the order of every
# two-sided array in this package.
SHOULDER, ELBOW, WRIST, HAND = (4, 8), (5, 9), (6, 10), (7, 11)
HAND_TIP, THUMB = (21, 23), (22, 24)
HIP, KNEE, ANKLE, FOOT = (12, 16), (13, 17), (14, 18), (15, 19)
SPINE_BASE, SPINE_MID, NECK, HEAD, SPINE_SHOULDER = 0, 1, 2, 3, 20
ARMS = tuple((SHOULDER[i], ELBOW[i], WRIST[i], HAND[i], HAND_TIP[i], THUMB[i]) for i in range(2))
LEGS = tuple((HIP[i], KNEE[i], ANKLE[i], FOOT[i]) for i in range(2))

LEFT, RIGHT = 0, 1

# Segment length / stature, Drillis & Contini (1966) as reprinted by Winter.
# Neck and head are the distances from shoulder height (0.818) to chin height
# (0.870) to eye height (0.936); the trunk goes from hip (0.530) to shoulder.
SEGMENT_RATIOS = dict(
    trunk=0.288,
    neck=0.052,
    head=0.066,
    shoulder=0.129,
    upper_arm=0.186,
    forearm=0.146,
    hand=0.108,
    hip=0.0955,
    thigh=0.245,
    shank=0.246,
    ankle=0.039,
    foot=0.152,
)

# Adult stature in metres: mean and spread over both sexes, kept in a range
# that nobody would find remarkable.
STATURE_MEAN, STATURE_STD, STATURE_RANGE = 1.70, 0.09, (1.50, 1.92)
# Own proportions: a few percent around the table's ratios.
PROPORTION_STD = 0.04
# About one in ten people is left-handed; more here, so that a split with few
# subjects has some on both sides.
LEFT_HANDED_SHARE = 0.25
# Third word of a subject's seed. Clips use ``[seed, clip]``, which numpy pads
# with zeros, so a non-zero third word is a stream of its own.
SUBJECT_STREAM = 1


@dataclass(frozen=True)
class Subject:
    """One person: bones and habits; 1 is an average amplitude, tempo or sway."""

    bones: dict[str, float]  # segment lengths in metres, keys as SEGMENT_RATIOS
    amplitude: float  # size of movements
    tempo: float  # speed of movements
    lean: float  # habitual forward lean of the trunk in radians
    stance: float  # half the distance between the feet in metres
    toe_out: float  # turn of each foot to the outside in radians
    hand: int  # preferred side, LEFT or RIGHT
    arms: np.ndarray  # (3,) habitual offset (outward, up, forward) of hanging hands, arm lengths
    sway: float  # size of the idle sway

    @property
    def arm(self) -> float:
        """Shoulder to wrist in metres."""
        return self.bones['upper_arm'] + self.bones['forearm']

    @property
    def leg(self) -> float:
        """Hip to ankle in metres."""
        return self.bones['thigh'] + self.bones['shank']


def draw_subject(seed: int, index: int) -> Subject:
    """Draws a person, always the same one for a data set's ``seed`` and the person's ``index``."""
    rng = np.random.default_rng([seed, index, SUBJECT_STREAM])
    stature = float(np.clip(rng.normal(STATURE_MEAN, STATURE_STD), *STATURE_RANGE))
    bones = {
        name: stature * ratio * (1 + PROPORTION_STD * rng.normal())
        for name, ratio in SEGMENT_RATIOS.items()
    }
    # The ranges below are habits that are easily seen in a crowd; they were
    # set by eye on rendered clips.
    return Subject(
        bones=bones,
        amplitude=rng.uniform(0.7, 1.25),
        tempo=rng.uniform(0.7, 1.4),
        lean=rng.uniform(-0.05, 0.15),
        stance=stature * rng.uniform(0.05, 0.11),
        toe_out=rng.uniform(0.0, 0.35),
        hand=LEFT if rng.random() < LEFT_HANDED_SHARE else RIGHT,
        arms=np.array([rng.uniform(0.0, 0.16), rng.uniform(0.0, 0.06), rng.uniform(-0.05, 0.15)]),
        sway=rng.uniform(0.5, 1.6),
    )


@dataclass
class Take:
    """One performance of an action by one subject."""

    subject: Subject
    rng: np.random.Generator
    side: int  # the acting one, LEFT or RIGHT
    seconds: float  # length of the action, all repetitions together
    times: int  # number of repetitions
    amplitude: float  # size of the movement, 1 is average

    def near(self, *point: float) -> np.ndarray:
        """A (3,) point somewhere near ``point``, in arm lengths, by about 3 cm."""
        return np.array(point) + self.rng.normal(0, 0.05, size=3)

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
