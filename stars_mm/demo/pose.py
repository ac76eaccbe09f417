"""The controls that an action script steers, and the curves to steer with.

A person's own axes are (right, up, forward), the origin is on the floor between the feet. Hands are
written as (outward, up, forward) from the spine shoulder joint, in the trunk's axes and in arm
lengths, so that one target suits both sides and every body: the shoulder is at (0.39, 0, 0), a
hanging wrist near (0.5, -0.9, 0.1), the mouth near (0, 0.25, 0.3).
"""

from dataclasses import dataclass, fields

import numpy as np

from stars_mm.demo.body import Subject

# Wrist of a relaxed hanging arm, see the module's axes.
HANGING = np.array([0.45, -0.93, 0.06])
# What an idle hand does besides hanging, with its probability: on the hip,
# bent before the belly, behind the back (the rest hangs).
RESTING = (
    (np.array([0.62, -0.66, 0.02]), 0.10),
    (np.array([0.12, -0.55, 0.36]), 0.12),
    (np.array([0.20, -0.82, -0.22]), 0.06),
)
# Knees are never locked: the standing leg uses this share of its length.
STANDING_REACH = 0.985
# Hands pass in front of the body, not through it: the middle of a path lies
# this much of the path's length ahead of the straight line (by eye).
PATH_BULGE = 0.2
# Shares of body mass (Winter): one arm 0.050, one leg 0.161. The middle of a
# limb moves about half as far as its end, hence the half.
ARM_COUNTER, LEG_COUNTER = 0.5 * 0.050, 0.5 * 0.161


@dataclass
class Pose:
    """Controls of one person over a clip; angles in radians."""

    pelvis: np.ndarray  # (T, 3) metres from the standing position
    lean: np.ndarray  # (T,) trunk forward
    bend: np.ndarray  # (T,) to the left
    twist: np.ndarray  # (T,) turned to the left
    nod: np.ndarray  # (T,) the same for the head, added to the trunk's
    tilt: np.ndarray
    look: np.ndarray
    hands: np.ndarray  # (T, 2, 3) wrists, see the module's axes
    reach: np.ndarray  # (T, 2, 3) wrists in the person's axes, metres, to touch what is outside
    reach_weight: np.ndarray  # (T, 2) 0: ``hands``, 1: ``reach`` holds
    elbow: np.ndarray  # (T, 2) how far the elbow is turned outward and up
    wrist: np.ndarray  # (T, 2) flexion of the wrist
    ankles: np.ndarray  # (T, 2, 3) person's axes, metres, above the ankle of a foot that stands
    toes: np.ndarray  # (T, 2) toes pointed down

    @classmethod
    def zeros(cls, num_frames: int) -> 'Pose':
        """All controls at zero for ``num_frames`` frames."""
        tails = dict.fromkeys(('hands', 'reach', 'ankles'), (2, 3))
        tails.update(dict.fromkeys(('reach_weight', 'elbow', 'wrist', 'toes'), (2,)), pelvis=(3,))
        return cls(**{f.name: np.zeros((num_frames,) + tails.get(f.name, ())) for f in fields(cls)})

    def move_hand(self, side: int, target: np.ndarray, weight: np.ndarray) -> None:
        """Blends a hand towards a target, (3,) or (T, 3) arm lengths; weight (T,) 0: stay."""
        way = target - self.hands[:, side]
        bulge = 4 * weight * (1 - weight) * np.linalg.norm(way, axis=-1)
        self.hands[:, side] += weight[:, None] * way
        self.hands[:, side, 2] += PATH_BULGE * bulge

    def counterbalance(self) -> None:
        """Move the pelvis against hands and feet, to stay in balance."""
        out = np.array([[-1, 0, 1], [1, 0, 1]])  # (outward, up, fwd) → right
        hands = ((self.hands - HANGING) * out).sum(1)
        feet = self.ankles - self.ankles.mean(0)
        self.pelvis[:, [0, 2]] -= ARM_COUNTER * hands[:, [0, 2]]
        self.pelvis[:, [0, 2]] -= LEG_COUNTER * feet.sum(1)[:, [0, 2]]


def min_jerk(x: np.ndarray) -> np.ndarray:
    """Minimum-jerk stroke from 0 at x = 0 to 1 at x = 1 (Flash & Hogan)."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * x * (10 + x * (6 * x - 15))


def bump(x: np.ndarray, rise: float, fall: float) -> np.ndarray:
    """Rise over [0, rise], hold at 1, fall over [1 - fall, 1]."""
    return min_jerk(x / rise) * (1 - min_jerk((x - 1 + fall) / fall))


def stroke(x: np.ndarray, start: float, stop: float) -> np.ndarray:
    """Minimum-jerk stroke from 0 at ``start`` to 1 at ``stop``."""
    return min_jerk((x - start) / (stop - start))


def repeat(x: np.ndarray, times: int) -> np.ndarray:
    """Progress within each of ``times`` repetitions; 0 before, 1 after all."""
    inside = np.clip(x, 0.0, 1.0) * times
    return np.where(inside >= times, 1.0, inside % 1.0)


def drift(rng: np.random.Generator, time: np.ndarray, shape: tuple, band=(0.1, 0.6)) -> np.ndarray:
    """Slow wandering (T, *shape) at (T,) seconds: three sinusoids a channel, about unit spread.

    The default ``band`` of frequencies, in Hz, is where most of the sway of a standing person lies.
    """
    freq = rng.uniform(*band, size=(3,) + shape)
    phase = rng.uniform(0, 2 * np.pi, size=(3,) + shape)
    angle = 2 * np.pi * freq * time.reshape((-1, 1) + (1,) * len(shape))
    return np.sin(angle + phase).sum(1) * np.sqrt(2 / 3)


def idle(subject: Subject, rng: np.random.Generator, time: np.ndarray) -> Pose:
    """A person who stands and does nothing in particular, at (T,) seconds.

    Sizes are in metres, arm lengths and radians and were set by eye: about a centimetre of sway,
    hands that wander by a few centimetres, a head that looks around.
    """
    pose = Pose.zeros(len(time))
    sway = subject.sway
    pose.pelvis[:] = drift(rng, time, (3,)) * sway * [0.012, 0.002, 0.010]
    pose.pelvis[:, 0] += rng.normal(0, 0.02)  # weight on one leg
    lean, bend, twist = drift(rng, time, (3,)).T * sway
    pose.lean += subject.lean + rng.normal(0, 0.03) + 0.02 * lean
    pose.bend += rng.normal(0, 0.03) + 0.012 * bend
    pose.twist += rng.normal(0, 0.10) + 0.04 * twist
    nod, tilt, look = drift(rng, time, (3,), band=(0.1, 0.9)).T
    pose.nod += rng.normal(0.05, 0.10) + 0.05 * nod
    pose.tilt += rng.normal(0, 0.05) + 0.02 * tilt
    pose.look += rng.normal(0, 0.15) + 0.10 * look

    wander = drift(rng, time, (2, 3)) * sway
    pose.hands[:] = HANGING + subject.arms + wander * [0.015, 0.01, 0.025]
    share = np.cumsum([p for _, p in RESTING])
    for side in range(2):
        habit = int(np.searchsorted(share, rng.random()))
        if habit < len(RESTING):
            pose.hands[:, side] += RESTING[habit][0] - HANGING
    pose.elbow[:] = rng.uniform(0.0, 0.5, size=2)
    pose.wrist[:] = rng.normal(0.1, 0.15, size=2)

    pose.ankles[:, :, 0] = subject.stance * np.array([-1.0, 1.0])
    pose.ankles[:, :, 2] = rng.normal(0, 0.04, size=2)
    return pose
