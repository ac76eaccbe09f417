"""Scripts of the actions of two persons who face each other.

Called as ``script(poses, progress, takes, distance)`` with two poses and two takes; ``distance`` is
between the persons' standing points in metres. What one touches on the other is written in the own
axes (right, up, forward), where the other one stands at (0, 0, distance) and looks back.
"""

from collections.abc import Sequence

import numpy as np

from stars_mm.demo.body import RIGHT, Take
from stars_mm.demo.pose import Pose, bump, stroke

# Height of hands that shake, and of a push's target, as a share of the
# shoulder height of the one who is touched (by eye).
SHAKE_HEIGHT, PUSH_HEIGHT = 0.72, 0.92


def shoulder_height(take: Take) -> float:
    """Height of the spine shoulder joint in metres when standing."""
    return take.subject.leg + sum(take.subject.bones[key] for key in ('ankle', 'trunk'))


def handshake(
    poses: Sequence[Pose], progress: np.ndarray, takes: Sequence[Take], distance: float
) -> None:
    """Right hands meet halfway and go up and down."""
    first = takes[0]
    joined = bump(progress, first.between(0.2, 0.35), first.between(0.2, 0.35))
    shake = first.wave(progress, first.between(1.3, 2.4))
    swing = first.amplitude * first.between(0.02, 0.06) * shake
    height = SHAKE_HEIGHT * np.mean([shoulder_height(t) for t in takes])
    lean = first.between(0.02, 0.15)
    for pose, take in zip(poses, takes):
        # Palms meet, so the wrists stay a hand's half apart.
        gap = 0.5 * take.subject.bones['hand']
        pose.reach[:, RIGHT] = [0.02, height, distance / 2 - gap]
        pose.reach[:, RIGHT, 1] += swing
        pose.reach_weight[:, RIGHT] = joined
        pose.lean += lean * joined
        pose.twist += 0.12 * joined  # the right shoulder comes forward
        pose.nod += take.between(0.0, 0.25) * joined


def push(
    poses: Sequence[Pose], progress: np.ndarray, takes: Sequence[Take], distance: float
) -> None:
    """The first pushes the second, who sways and steps back."""
    pusher, pushed = takes
    size = pusher.amplitude
    pose, other = poses
    start = pusher.between(0.25, 0.4)
    ready = stroke(progress, 0.0, start)
    hit = stroke(progress, start, start + 0.15)
    back = stroke(progress, 0.65, 1.0)
    height = PUSH_HEIGHT * shoulder_height(pushed)
    sides = [0, 1] if pusher.chance(0.7) else [pusher.side]
    for side in sides:
        sign = 1.0 if side else -1.0
        pose.move_hand(side, pusher.near(0.32, -0.30, 0.35), ready * (1 - back))
        pose.reach[:, side] = [sign * 0.12, height, distance - 0.20]
        pose.reach_weight[:, side] = hit * (1 - back)
    pose.lean += size * 0.28 * hit * (1 - back) - 0.06 * ready * (1 - hit)
    pose.pelvis[:, 2] += size * 0.16 * hit * (1 - back)
    foot = pusher.side
    pose.ankles[:, foot, 2] += (
        size * 0.25 * stroke(progress, start - 0.15, start + 0.1) * (1 - back)
    )

    struck = stroke(progress, start + 0.08, start + 0.28)
    recover = stroke(progress, start + 0.35, 1.0)
    thrown = struck * (1 - recover)
    force = size * pushed.between(0.6, 1.2)
    other.lean -= 0.22 * force * thrown
    other.nod += 0.15 * force * thrown
    other.pelvis[:, 2] -= 0.18 * force * thrown
    for side in range(2):
        other.move_hand(side, pushed.near(0.55, -0.60, 0.35), 0.6 * thrown)
    step = stroke(progress, start + 0.12, start + 0.32)
    other.ankles[:, pushed.side, 2] -= 0.30 * force * step * (1 - recover)
    other.ankles[:, pushed.side, 1] += 0.06 * np.sin(np.pi * step) ** 2


def high_five(
    poses: Sequence[Pose], progress: np.ndarray, takes: Sequence[Take], distance: float
) -> None:
    """Right palms meet high between both."""
    first = takes[0]
    start = first.between(0.35, 0.5)
    up = stroke(progress, 0.0, start)
    back = stroke(progress, start + 0.18, start + 0.5)
    meet = stroke(progress, start - 0.12, start) * (1 - back)
    height = first.between(1.0, 1.2) * np.mean([shoulder_height(take) for take in takes])
    for pose, take in zip(poses, takes):
        gap = 0.25 * take.subject.bones['hand']
        pose.move_hand(RIGHT, take.near(0.55, 0.25, 0.25), up * (1 - back))
        pose.reach[:, RIGHT] = [0.02, height, distance / 2 - gap]
        pose.reach_weight[:, RIGHT] = meet
        pose.lean += take.amplitude * 0.14 * meet
        pose.twist += take.amplitude * (0.2 * meet - 0.1 * up * (1 - back))
        pose.pelvis[:, 2] += 0.05 * meet
