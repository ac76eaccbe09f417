"""Scripts of the actions that the hands perform.

Every script is called as ``script(pose, progress, take)``: ``pose`` holds an idle person,
``progress`` is (T,), 0 where the action starts and 1 where it ends, and the script steers the pose
in place. Targets are in the axes of ``pose.py`` (arm lengths from the spine shoulder, outward, up,
forward); they, the times and the frequencies were set by eye on rendered clips.
"""

import numpy as np

from stars_mm.demo.pose import Pose, bump, min_jerk, repeat, stroke
from stars_mm.demo.take import Take


def outward(take: Take) -> float:
    """+1 where a turn to the left opens the acting side, else -1."""
    return 1.0 if take.side == 0 else -1.0


def throw(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Wind up over the shoulder, unwind, follow through downward."""
    side, sign = take.side, outward(take)
    local, size = repeat(progress, take.times), take.amplitude
    wind = stroke(local, 0, take.between(0.32, 0.40))
    release = stroke(local, 0.38, take.between(0.56, 0.64))
    follow = stroke(local, 0.56, 0.76)
    back = stroke(local, 0.76, 1.0)
    home = pose.hands[:, side].copy()
    pose.move_hand(side, take.near(0.75, 0.30, -0.25), wind)
    pose.move_hand(side, take.near(0.30, 0.20, 0.92), release)
    pose.move_hand(side, take.near(0.0, -0.45, 0.60), follow)
    pose.move_hand(side, home, back)
    cocked, thrown = wind * (1 - release), release * (1 - back)
    pose.twist += sign * size * (0.55 * cocked - 0.40 * thrown)
    pose.lean += size * (-0.10 * cocked + 0.18 * thrown)
    pose.elbow[:, side] += 0.8 * cocked
    pose.wrist[:, side] += -0.5 * cocked + 0.4 * thrown
    pose.pelvis[:, 2] += size * (-0.05 * cocked + 0.08 * thrown)
    other = 1 - side
    pose.move_hand(other, take.near(0.45, -0.35, 0.55), 0.7 * cocked)
    if take.chance(0.6):  # the other foot steps into the throw
        step = take.between(0.15, 0.30) * size
        moved = stroke(local, 0.25, 0.5) * (1 - back)
        pose.ankles[:, other, 2] += step * moved
        pose.ankles[:, other, 1] += 0.06 * _lift(local, 0.25, 0.5)


def punch(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """From a guard before the chin, straight and back."""
    guard = bump(progress, take.between(0.12, 0.25), take.between(0.12, 0.25))
    for side in range(2):
        pose.move_hand(side, take.near(0.28, -0.12, 0.42), guard)
    inner = repeat(np.clip((progress - 0.2) / 0.6, 0, 1), take.times)
    index = np.floor(np.clip((progress - 0.2) / 0.6, 0, 0.999) * take.times)
    alternate = take.chance(0.4)
    hit = bump(inner, 0.4, 0.45)
    for side in range(2):
        turn_of = side == take.side
        mine = (index % 2 == (0 if turn_of else 1)) if alternate else turn_of
        mine = hit * mine
        pose.move_hand(side, take.near(0.15, -0.02, 0.97), mine)
        sign = 1.0 if side == 0 else -1.0
        pose.twist -= sign * take.amplitude * 0.42 * mine
        pose.elbow[:, side] += 0.6 * mine
    pose.lean += 0.08 * guard + 0.10 * take.amplitude * hit
    pose.pelvis[:, 1] -= 0.03 * guard
    pose.pelvis[:, 2] += 0.05 * take.amplitude * hit


def _lift(local, start, stop):
    """A foot's rise and fall while it travels: 0 outside, 1 in the middle."""
    middle = (start + stop) / 2
    return min_jerk((local - start) / (middle - start)) * (
        1 - min_jerk((local - middle) / (stop - middle))
    )
