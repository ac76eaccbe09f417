"""Scripts of the actions of one person.

Every script is called as ``script(pose, progress, take)``: ``pose`` holds an idle person,
``progress`` is (T,), 0 where the action starts and 1 where it ends, and the script steers the pose
in place. Targets of hands are in the axes of ``pose.py`` (arm lengths from the spine shoulder,
outward, up, forward), feet in metres, scaled by the length of the leg where the size of the body
matters; sizes, times and frequencies were set by eye on rendered clips.
"""

import numpy as np

from stars_mm.demo.body import Take
from stars_mm.demo.pose import Pose, bump, min_jerk, repeat, stroke

# Height of the hips above the ankles on a chair with a 0.45 m seat.
SEATED_HIPS = 0.45


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


def kick(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Swing a leg back, then forward and up; the trunk leans back."""
    side, leg, size = take.side, take.subject.leg, take.amplitude
    local, sign = repeat(progress, take.times), outward(take)
    back = bump(stroke(local, 0.05, 0.5), 0.5, 0.45)
    front = bump(stroke(local, 0.28, 0.9), 0.4, 0.45)
    height = size * take.between(0.25, 0.50)
    pose.ankles[:, side, 2] += leg * (0.70 * size * front - 0.28 * back)
    pose.ankles[:, side, 1] += leg * (height * front + 0.18 * back)
    pose.ankles[:, side, 0] *= 1 - 0.6 * front
    pose.toes[:, side] += 0.6 * back - 0.1 * front
    pose.pelvis[:, 0] += sign * 0.06 * (front + 0.5 * back)
    pose.lean += 0.08 * back - 0.22 * size * front
    pose.twist += sign * 0.20 * (back - front)
    _swing_arms(pose, take, sign * size * (0.30 * back - 0.35 * front))


def step_forward(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Step forward with one foot, mostly follow with the other, and return."""
    side, leg, size = take.side, take.subject.leg, take.amplitude
    local, sign = repeat(progress, take.times), outward(take)
    stride = leg * size * take.between(0.40, 0.62)
    clear = leg * take.between(0.06, 0.20)
    follows = 1.0 if take.chance(0.5) else 0.0
    other = 1 - side
    moves = ((side, 0.02, 0.28, 1.0), (other, 0.24, 0.46, follows))
    moves += ((other, 0.54, 0.76, follows), (side, 0.72, 0.98, 1.0))
    for number, (foot, start, stop, share) in enumerate(moves):
        forward = 1.0 if number < 2 else -1.0
        moved = stroke(local, start, stop)
        pose.ankles[:, foot, 2] += share * forward * stride * moved
        lift = np.sin(np.pi * moved) ** 2
        pose.ankles[:, foot, 1] += share * clear * lift
        pose.toes[:, foot] += share * 0.35 * lift
    gone = stroke(local, 0.05, 0.42) * (1 - stroke(local, 0.58, 0.95))
    pose.pelvis[:, 2] += stride * (0.55 + 0.4 * follows) * gone
    pose.lean += 0.05 * np.gradient(gone) * len(gone) * 0.1
    hands = bump(local, 0.3, 0.3) * size
    _swing_arms(pose, take, -sign * 0.22 * hands)


def sit_down(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """From standing to a chair behind."""
    _sit(pose, take, stroke(progress, 0.0, 1.0), progress)


def stand_up(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """From a chair to standing."""
    _sit(pose, take, 1 - stroke(progress, 0.0, 1.0), progress)


def _sit(pose, take, seated, progress):
    """Lowers who stands onto a chair: ``seated`` (T,) is 0 where the person stands, 1 on it."""
    leg = take.subject.leg
    seat = SEATED_HIPS + take.between(-0.05, 0.05)
    pose.pelvis[:, 1] -= (leg - seat) * seated
    pose.pelvis[:, 2] -= leg * take.between(0.38, 0.50) * seated
    pose.lean += take.between(-0.10, 0.20) * seated
    # Feet go forward or under the chair.
    slide = take.rng.normal(0, 0.06, size=2)
    pose.ankles[:, :, 2] += slide * seated[:, None]
    for side in range(2):
        pose.move_hand(side, take.near(0.28, -0.62, 0.48), seated)  # on the lap
    # The trunk leans forward on the way, to keep the weight above the feet.
    on_the_way = np.sin(np.pi * seated) ** 2
    pose.lean += take.amplitude * take.between(0.45, 0.75) * on_the_way
    pose.nod -= 0.2 * on_the_way
    for side in range(2):
        if take.chance(0.5):  # a hand supports the knee on the way
            pose.move_hand(side, take.near(0.40, -0.60, 0.60), 0.6 * on_the_way)


def squat(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Bend the knees and come up, arms forward or on the knees."""
    local, leg = repeat(progress, take.times), take.subject.leg
    edge = take.between(0.35, 0.48)
    down = bump(local, edge, edge)
    depth = np.clip(take.amplitude * take.between(0.25, 0.5), 0.2, 0.55)
    pose.pelvis[:, 1] -= leg * depth * down
    pose.pelvis[:, 2] -= leg * 0.35 * depth * down
    pose.lean += take.between(0.5, 1.1) * depth * 2 * down
    if take.chance(0.5):
        hands = take.near(0.36, -0.15, 0.90)
    else:
        hands = take.near(0.36, -0.60, 0.55)
    for side in range(2):
        pose.move_hand(side, hands, down)


def jump(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Crouch, leap, land; the arms swing along."""
    local, leg = repeat(progress, take.times), take.subject.leg
    crouch = bump(stroke(local, 0.0, 0.42), 0.55, 0.4)
    landing = bump(stroke(local, 0.58, 1.0), 0.25, 0.5)
    height = take.amplitude * take.between(0.08, 0.25)
    air = np.clip((local - 0.40) / 0.24, 0, 1)
    flight = 4 * height * air * (1 - air)  # free fall: a parabola
    depth = leg * take.between(0.12, 0.28)
    pose.pelvis[:, 1] += flight - depth * (crouch + 0.8 * landing)
    pose.ankles[:, :, 1] += flight[:, None]
    pose.toes += (0.7 * np.sin(np.pi * air))[:, None]
    pose.lean += 0.35 * crouch + 0.25 * landing
    up = stroke(local, 0.28, 0.48) * (1 - stroke(local, 0.55, 0.8))
    swing = take.amplitude * take.between(0.2, 1.0)
    for side in range(2):
        pose.hands[:, side, 2] += swing * (0.6 * up - 0.35 * crouch)
        pose.hands[:, side, 1] += swing * (0.5 * up + 0.05 * crouch)


def walk(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Walk on the spot."""
    lift = take.subject.leg * take.amplitude * take.between(0.10, 0.19)
    hertz, swing = take.between(0.75, 1.15), take.between(0.12, 0.26)
    _tread(pose, progress, take, hertz, lift, swing, fold=take.between(0.0, 0.35))


def march(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """March on the spot: thighs come up, straight arms swing wide."""
    lift = take.subject.leg * take.amplitude * take.between(0.24, 0.40)
    hertz, swing = take.between(0.65, 1.05), take.between(0.28, 0.50)
    _tread(pose, progress, take, hertz, lift, swing, fold=0.0)


def _tread(pose, progress, take, hertz, lift, swing, fold):
    on = bump(progress, 0.12, 0.12)
    hertz = hertz * take.subject.tempo
    start = take.rng.uniform(0, 2 * np.pi)
    phase = 2 * np.pi * hertz * progress * take.seconds + start
    for side, sign in enumerate((-1.0, 1.0)):
        up = np.maximum(sign * np.sin(phase), 0) ** 1.5 * on
        pose.ankles[:, side, 1] += lift * up
        # The knee comes forward, the foot hangs under it or lags behind.
        pose.ankles[:, side, 2] += lift * 0.25 * up
        pose.toes[:, side] += 0.5 * up
        pose.pelvis[:, 0] -= sign * 0.025 * up
        pose.move_hand(side, take.near(0.42, -0.60, 0.45), fold * on)
    sway = np.sin(phase) * on
    _swing_arms(pose, take, swing * take.amplitude * sway)
    pose.twist -= 0.10 * take.amplitude * sway
    pose.pelvis[:, 1] -= 0.015 * on * (1 + np.cos(2 * phase))
    pose.lean += 0.03 * on


def _swing_arms(pose, take, right_leg):
    """Arms go against the legs: ``right_leg`` > 0 brings the left hand forward (arm lengths)."""
    for side, sign in enumerate((1.0, -1.0)):
        pose.hands[:, side, 2] += sign * right_leg
        pose.hands[:, side, 1] += 0.5 * right_leg**2


def bow(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Lean forward from the hips and come up again; the arms go along."""
    local = repeat(progress, take.times)
    deep = bump(local, take.between(0.3, 0.45), take.between(0.3, 0.45))
    angle = take.amplitude * take.between(0.6, 1.15)
    pose.lean += angle * deep
    pose.nod += take.between(-0.1, 0.35) * deep
    # Hips go back, so that the weight stays above the feet.
    pose.pelvis[:, 2] -= 0.16 * angle * deep
    hang = take.chance(0.5)  # else the hands stay at the trouser seams
    for side in range(2):
        forward = np.sin(angle) * (0.75 if hang else 0.15)
        target = take.near(0.40, -0.90 + 0.25 * forward, forward)
        pose.move_hand(side, target, deep)


def pick_up(pose: Pose, progress: np.ndarray, take: Take) -> None:
    """Go down, take something from the floor, bring it to the waist."""
    side, leg, size = take.side, take.subject.leg, take.amplitude
    down = bump(progress, take.between(0.35, 0.45), take.between(0.35, 0.45))
    squat = take.between(0.15, 0.45)  # share of the leg; the rest is the back
    pose.pelvis[:, 1] -= leg * squat * down
    pose.pelvis[:, 2] -= (0.12 + 0.25 * squat) * down
    pose.lean += size * (1.35 - 0.9 * squat) * down
    pose.nod -= take.between(0.0, 0.3) * down
    ranges = (0.0, 0.25), (0.20, 0.40), (0.22, 0.40)
    low = np.array([take.between(*bounds) for bounds in ranges]) * (1.0 if side else -1.0, 1, 1)
    both = take.chance(0.3)
    for hand in [0, 1] if both else [side]:
        pose.reach[:, hand] = low * [1 if hand == side else -1, 1, 1]
        pose.reach_weight[:, hand] = min_jerk(down)
        if take.chance(0.6):  # comes back with the thing in the hand
            taken = stroke(progress, 0.6, 0.95)
            pose.move_hand(hand, take.near(0.22, -0.55, 0.50), taken)
    if not both:  # the other hand rests on the thigh or hangs
        pose.move_hand(1 - side, take.near(0.36, -0.75, 0.30), 0.7 * down)
