"""Scripts of the actions that the hands perform.

Every script is called as ``script(pose, progress, take)``: ``pose`` holds an
idle person, ``progress`` is (T,), 0 where the action starts and 1 where it
ends, and the script steers the pose in place. Targets are in the axes of
``pose.py`` (arm lengths from the spine shoulder, outward, up, forward); they,
the times and the frequencies were set by eye on rendered clips.
"""
import numpy as np

from .pose import Pose, bump, min_jerk, repeat, stroke
from .take import Take


def outward(take: Take) -> float:
    """+1 where a turn to the left opens the acting side, else -1."""
    return 1. if take.side == 0 else -1.


def drink(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """A cup goes from the waist to the mouth; the head tips back."""
    side, local = take.side, repeat(progress, take.times)
    if take.chance(0.6):  # the cup is held before the body all the time
        pose.move_hand(side, take.near(0.25, -0.55, 0.55),
                       np.ones_like(progress))
    to_mouth = bump(local, take.between(0.22, 0.35), take.between(0.22, 0.35))
    pose.move_hand(side, take.near(0.13, 0.10, 0.38), to_mouth)
    sip = bump(stroke(local, 0.2, 0.8), 0.35, 0.35)
    pose.nod -= take.amplitude * take.between(0.15, 0.45) * sip
    pose.lean -= 0.04 * sip
    pose.elbow[:, side] += take.between(0.0, 0.6) * to_mouth
    pose.wrist[:, side] += 0.5 * to_mouth - take.between(0.3, 0.7) * sip


def phone_call(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """A phone goes to the ear and, mostly, stays there."""
    side, sign = take.side, outward(take)
    if take.chance(0.5):  # the call is taken before the body
        pose.move_hand(side, take.near(0.25, -0.45, 0.55),
                       np.ones_like(progress))
    rise = take.between(0.2, 0.4)
    at_ear = stroke(progress, 0, rise)
    if take.chance(0.4):
        at_ear = bump(progress, rise, rise)
    pose.move_hand(side, take.near(0.28, 0.10, 0.22), at_ear)
    talk = take.wave(progress, take.between(0.4, 1.0))
    pose.tilt += sign * at_ear * take.between(0.05, 0.25)
    pose.nod += at_ear * (0.06 + 0.04 * talk)
    pose.elbow[:, side] += take.between(0.0, 0.5) * at_ear
    pose.wrist[:, side] += 0.6 * at_ear


def salute(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """The flat hand goes to the brow, stays, and comes down."""
    side, edge = take.side, take.between(0.18, 0.32)
    up = bump(progress, edge, edge)
    pose.move_hand(side, take.near(0.34, 0.22, 0.28), up)
    pose.elbow[:, side] += take.between(0.3, 1.0) * up
    pose.wrist[:, side] += 0.3 * up
    pose.lean -= 0.04 * up
    pose.nod -= 0.05 * up


def check_watch(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """The forearm comes before the chest, the head bends over it."""
    side, edge = take.side, take.between(0.2, 0.35)
    up = bump(progress, edge, edge)
    pose.move_hand(side, take.near(0.02, -0.24, 0.46), up)
    pose.elbow[:, side] += take.between(0.2, 0.6) * up
    pose.nod += take.between(0.15, 0.5) * up
    pose.look += outward(take) * take.between(0.0, 0.3) * up
    if take.chance(0.5):  # the other hand pushes back the sleeve
        pose.move_hand(1 - side, take.near(-0.02, -0.32, 0.44),
                       bump(progress, 1.2 * edge, 1.2 * edge))


def raise_hand(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """One hand goes up and waits."""
    side, edge = take.side, take.between(0.18, 0.35)
    up = bump(progress, edge, edge)
    high = take.between(0.30, 0.80)
    pose.move_hand(side, take.near(0.58, high, 0.26, spread=0.08), up)
    pose.elbow[:, side] += 0.3 * up
    pose.bend -= outward(take) * 0.03 * up


def point(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """One arm points at something ahead, and the eyes follow."""
    side, edge = take.side, take.between(0.18, 0.35)
    out = bump(progress, edge, edge)
    aside = take.between(-0.1, 0.5)
    pose.move_hand(side, take.near(0.25 + aside, 0.0, 0.92 - 0.3 * aside), out)
    pose.look -= outward(take) * -0.6 * aside * out
    pose.twist -= outward(take) * take.between(0.0, 0.2) * out


def _wave(pose, progress, take, side):
    raised = bump(progress, take.between(0.15, 0.3), take.between(0.15, 0.3))
    swing = take.wave(progress, take.between(1.2, 2.4))
    size = take.amplitude * take.between(0.10, 0.24)
    target = take.near(0.70, 0.20, 0.34, spread=0.08)
    target[1] += take.between(-0.1, 0.35)
    path = target + swing[:, None] * size * np.array([1., 0.15, 0.1])
    pose.move_hand(side, path, raised)
    pose.elbow[:, side] += 0.3 * raised
    pose.bend += (0.03 if side else -0.03) * raised
    pose.wrist[:, side] += 0.3 * swing * raised


def wave_left(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """The raised left hand goes from side to side."""
    _wave(pose, progress, take, 0)


def wave_right(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """The raised right hand goes from side to side."""
    _wave(pose, progress, take, 1)


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
        sign = 1. if side == 0 else -1.
        pose.twist -= sign * take.amplitude * 0.42 * mine
        pose.elbow[:, side] += 0.6 * mine
    pose.lean += 0.08 * guard + 0.10 * take.amplitude * hit
    pose.pelvis[:, 1] -= 0.03 * guard
    pose.pelvis[:, 2] += 0.05 * take.amplitude * hit


def clap(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Both palms meet before the chest again and again."""
    raised = bump(progress, take.between(0.1, 0.25), take.between(0.1, 0.25))
    beat = 0.5 + 0.5 * take.wave(progress, take.between(1.4, 2.8))
    apart = take.amplitude * take.between(0.10, 0.28) * beat
    middle = take.near(0., -0.30, 0.50, spread=0.08)
    for side, sign in enumerate((-1., 1.)):
        path = np.stack([
            0.06 + apart + sign * middle[0],
            np.full_like(apart, middle[1]),
            middle[2] - 0.15 * apart
        ], -1)
        pose.move_hand(side, path, raised)
        pose.elbow[:, side] += 0.25 * raised * beat
    pose.nod += 0.03 * raised * beat


def rub_hands(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Both palms stay together and slide against each other."""
    raised = bump(progress, take.between(0.1, 0.25), take.between(0.1, 0.25))
    slide = take.wave(progress, take.between(1.4, 2.8))
    slide = slide * take.amplitude * take.between(0.06, 0.13)
    middle = take.near(0., -0.36, 0.50, spread=0.08)
    for side, sign in enumerate((-1., 1.)):
        path = np.stack([
            np.full_like(slide, 0.08 + sign * middle[0]),
            middle[1] + 0.5 * sign * slide, middle[2] + sign * slide
        ], -1)
        pose.move_hand(side, path, raised)
        pose.elbow[:, side] += 0.25 * raised
    pose.nod += take.between(0., 0.25) * raised
    pose.lean += 0.04 * raised


def _lift(local, start, stop):
    """A foot's rise and fall while it travels: 0 outside, 1 in the middle."""
    middle = (start + stop) / 2
    return min_jerk((local - start) / (middle - start)) * (1 - min_jerk(
        (local - middle) / (stop - middle)))
