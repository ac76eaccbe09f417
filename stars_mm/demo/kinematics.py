"""From controls to joints: trunk by forward kinematics, limbs as two bones.

Positions here are in body axes (x right, y up, z *backward*; right-handed as
camera space), with the origin on the floor between the feet.
"""

from functools import partial

import numpy as np

from stars_mm.demo import body
from stars_mm.demo.body import Subject
from stars_mm.demo.pose import STANDING_REACH, Pose

TO_BODY = np.array([1.0, 1.0, -1.0])  # (right, up, forward) → body axes
SIDE_SIGN = (-1.0, 1.0)

# A limb never straightens fully, or its bending plane would be undefined.
MAX_REACH = 0.998
# The trunk's lower half takes this share of lean and bend (the hips do most
# of it) and this share of the twist (the spine does most of that).
LOWER_LEAN, LOWER_TWIST = 0.8, 0.35
# Hand joint in the middle of the hand; thumb tip at this share of the hand,
# this far to the side (radians).
HAND_MIDDLE, THUMB_SHARE, THUMB_ANGLE = 0.5, 0.65, 0.7
# Winter's foot length counts the heel; Kinect's foot joint lies at the ball.
FOOT_SHARE = 0.6
# The foot joint lies lower than the ankle by this share of the ankle's height.
FOOT_DROP = 0.6


def _rotation(angle: np.ndarray, axis: int) -> np.ndarray:
    """(T,) radians → (T, 3, 3) turns about an axis; about the vertical, to the left."""
    one, other = (axis + 1) % 3, (axis + 2) % 3
    turns = np.zeros((*angle.shape, 3, 3))
    turns[..., axis, axis] = 1
    turns[..., one, one] = turns[..., other, other] = np.cos(angle)
    turns[..., other, one] = np.sin(angle)
    turns[..., one, other] = -turns[..., other, one]
    return turns


rot_x, rot_y, rot_z = (partial(_rotation, axis=axis) for axis in range(3))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def turn(rotation: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Turn (3,) or (T, 3) vectors by (T, 3, 3) rotations → (T, 3)."""
    return (rotation * np.asarray(vector)[..., None, :]).sum(-1)


def two_bone(root: np.ndarray, target: np.ndarray, upper: float, lower: float, pole: np.ndarray):
    """Place a limb of two bones, by the law of cosines; all arrays are (T, 3).

    From the root (shoulder or hip), bones of lengths ``upper`` and ``lower`` in metres go as near
    to the target as they can, and the joint between them points to the pole's side. Gives middle
    joint, end joint, and the unit normal of the plane in which the limb bends.
    """
    line = target - root
    dist = np.linalg.norm(line, axis=-1, keepdims=True)
    axis = line / np.maximum(dist, 1e-9)
    # Folded no further than flesh allows: about 145° for elbow and knee.
    nearest = np.sqrt(upper**2 + lower**2 - 2 * upper * lower * np.cos(np.deg2rad(180 - 145)))
    dist = np.clip(dist, nearest, MAX_REACH * (upper + lower))
    along = (upper**2 - lower**2 + dist**2) / (2 * dist)
    aside = np.sqrt(np.maximum(upper**2 - along**2, 0))
    side = _unit(pole - (pole * axis).sum(-1, keepdims=True) * axis)
    middle, end = root + along * axis + aside * side, root + dist * axis
    return middle, end, np.cross(axis, side)


def solve(pose: Pose, subject: Subject) -> np.ndarray:
    """Joints of a person, (T, 25, 3) float64 in body axes, metres."""
    bones = subject.bones
    joints = np.zeros((len(pose.lean), body.NUM_JOINTS, 3))
    # Hips follow twist and bend, but stay level when the trunk leans.
    hips = rot_y(LOWER_TWIST * pose.twist)
    lower = hips @ rot_x(-LOWER_LEAN * pose.lean) @ rot_z(LOWER_LEAN * pose.bend)
    upper = rot_y(pose.twist) @ rot_x(-pose.lean) @ rot_z(pose.bend)
    head = upper @ rot_y(pose.look) @ rot_x(-pose.nod) @ rot_z(pose.tilt)
    base = _pelvis(pose, subject, hips)
    half = np.array([0.0, bones['trunk'] / 2, 0.0])
    joints[:, body.SPINE_BASE] = base
    joints[:, body.SPINE_MID] = base + turn(lower, half)
    chest = joints[:, body.SPINE_MID] + turn(upper, half)
    joints[:, body.SPINE_SHOULDER] = chest
    joints[:, body.NECK] = chest + turn(upper, [0, bones['neck'], 0])
    joints[:, body.HEAD] = joints[:, body.NECK] + turn(head, [0, bones['head'], 0])
    for side in range(2):
        _arm(joints, pose, subject, upper, side)
        _leg(joints, pose, subject, hips, side)
    return joints


def _pelvis(pose: Pose, subject: Subject, hips: np.ndarray) -> np.ndarray:
    """(T, 3) spine base: as high as asked, or as the standing legs allow."""
    bones, leg = subject.bones, STANDING_REACH * subject.leg
    base = pose.pelvis * TO_BODY
    base[:, 1] += bones['ankle'] + leg
    limits = []
    for side, sign in enumerate(SIDE_SIGN):
        hip = base + turn(hips, [sign * bones['hip'], 0, 0])
        ankle = pose.ankles[:, side] * TO_BODY
        level = ((hip - ankle)[:, [0, 2]] ** 2).sum(-1)
        limits.append(ankle[:, 1] + bones['ankle'] + np.sqrt(np.maximum(leg**2 - level, 0)))
    base[:, 1] = np.minimum(base[:, 1], np.minimum(*limits))
    return base


def _arm(joints: np.ndarray, pose: Pose, subject: Subject, upper: np.ndarray, side: int) -> None:
    """Fill in shoulder, elbow, wrist and hand of one side."""
    bones, sign = subject.bones, SIDE_SIGN[side]
    chest = joints[:, body.SPINE_SHOULDER]
    shoulder = chest + turn(upper, [sign * bones['shoulder'], 0, 0])
    own = chest + turn(upper, pose.hands[:, side] * subject.arm * [sign, 1, -1])
    weight = pose.reach_weight[:, side, None]
    target = own + weight * (pose.reach[:, side] * TO_BODY - own)
    pole = _elbow_pole(upper, target - shoulder, pose.elbow[:, side], sign)
    elbow, wrist, normal = two_bone(shoulder, target, bones['upper_arm'], bones['forearm'], pole)
    # The hand goes on from the forearm, bent in the plane of the arm.
    forearm = _unit(wrist - elbow)
    curled = np.cross(forearm, normal)
    flex = pose.wrist[:, side, None]
    along = np.cos(flex) * forearm + np.sin(flex) * curled
    thumb = np.cos(THUMB_ANGLE) * along - sign * np.sin(THUMB_ANGLE) * normal
    joints[:, body.SHOULDER[side]] = shoulder
    joints[:, body.ELBOW[side]] = elbow
    joints[:, body.WRIST[side]] = wrist
    joints[:, body.HAND[side]] = wrist + HAND_MIDDLE * bones['hand'] * along
    joints[:, body.HAND_TIP[side]] = wrist + bones['hand'] * along
    joints[:, body.THUMB[side]] = wrist + THUMB_SHARE * bones['hand'] * thumb


def _elbow_pole(upper: np.ndarray, line: np.ndarray, swivel: np.ndarray, sign: float) -> np.ndarray:
    """(T, 3) side to which the elbow of an arm along ``line`` points.

    The pole turns with the arm: backward when it hangs, downward when it is held ahead, forward
    when it is held up. A lesser share always points outward, down and backward, ``swivel`` adding
    to the outward part, so that there is a pole for arms held sideways, too.
    """
    across = turn(upper, np.array([1.0, 0.0, 0.0]))
    along_with_arm = np.cross(_unit(line), across)
    out = sign * (0.3 + 1.2 * np.sin(swivel))
    always = np.stack([out, np.full_like(swivel, -0.3), np.full_like(swivel, 0.2)], -1)
    return along_with_arm + turn(upper, always)


def _leg(joints: np.ndarray, pose: Pose, subject: Subject, hips: np.ndarray, side: int) -> None:
    """Fill in hip, knee, ankle and foot of one side."""
    bones, sign = subject.bones, SIDE_SIGN[side]
    hip = joints[:, body.SPINE_BASE] + turn(hips, [sign * bones['hip'], 0, 0])
    ankle = pose.ankles[:, side] * TO_BODY + [0, bones['ankle'], 0]
    out = np.array([sign * np.sin(subject.toe_out), 0, -np.cos(subject.toe_out)])
    # A knee points where the toes point; up, too, when the thigh is raised.
    pole = np.broadcast_to(out + [0, 0.3, 0], hip.shape)
    knee, ankle, _ = two_bone(hip, ankle, bones['thigh'], bones['shank'], pole)
    pitch = pose.toes[:, side, None]
    length, drop = FOOT_SHARE * bones['foot'], FOOT_DROP * bones['ankle']
    up = np.array([0.0, 1.0, 0.0])
    foot = out * (length * np.cos(pitch) - drop * np.sin(pitch)) - up * (
        length * np.sin(pitch) + drop * np.cos(pitch)
    )
    joints[:, body.HIP[side]], joints[:, body.KNEE[side]] = hip, knee
    joints[:, body.ANKLE[side]] = ankle
    joints[:, body.FOOT[side]] = ankle + foot
