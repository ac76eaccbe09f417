"""Chooses the actors of a recording of NTU RGB+D among its tracked bodies.

The sensor reports chairs and doors as bodies, and gives one actor several ids.
The rules are those by which the data of CTR-GCN, MAMP and STARS were made, so
that the clips are theirs to the last digit.
"""

from collections import Counter

import numpy as np

from stars_mm.preparation.readers.ntu_parse import Body, TrackedBodies

#: Beside others, a body of no more frames is a ghost.
MAX_GHOST_FRAMES = 11
#: A frame is implausible where a body is wider than this times its height.
MAX_WIDTH = 0.8
#: Beside others, a body with this share of implausible frames is no person.
MAX_IMPLAUSIBLE = 0.69754


def plausible_frames(joints: np.ndarray) -> np.ndarray:
    """Tells in which frames, (T,) bool, a body (T, 25, 3), y up, is not too wide for a person."""
    extent = np.ptp(joints[..., :2], axis=1).astype(np.float64)  # (T, 2)
    return extent[:, 0] <= MAX_WIDTH * extent[:, 1]


def motion(joints: np.ndarray) -> float:
    """How much a body (T, 25, 3) moves: the variance of its coordinates, summed, in m²."""
    return float(np.var(joints.reshape(-1, 3), axis=0).sum())


def drop_wide(bodies: list[Body]) -> tuple[list[Body], list[float]]:
    """Drops the bodies, in the order of their first frames, that are too wide in most frames, but
    not the last one; gives the motion of each as well, to which implausible frames do not add."""
    left: list[Body] = []
    motions: list[float] = []
    for number, body in enumerate(bodies):
        moved = motion(body.joints)
        others = len(left) + len(bodies) - number - 1
        if others:
            plausible = plausible_frames(body.joints)
            if (~plausible).mean() >= MAX_IMPLAUSIBLE:
                continue
            if not plausible.all():
                moved = min(moved, motion(body.joints[plausible]))
        left.append(body)
        motions.append(moved)
    return left, motions


def merge(bodies: list[Body], num_frames: int) -> tuple[np.ndarray, int]:
    """Joins bodies that do not overlap in time into two actors, (2, T, 25, 3) float32, zero where
    one is absent. The first body is the first actor; each further one continues the first actor or
    else the second, or is left out and counted."""
    keypoint = np.zeros((2, num_frames) + bodies[0].joints.shape[1:], np.float32)
    keypoint[0, bodies[0].start : bodies[0].end + 1] = bodies[0].joints
    # The second actor's span begins at frame 0, whenever the actor appears.
    spans = [(bodies[0].start, bodies[0].end), (0, 0)]
    left_out = 0
    for body in bodies[1:]:
        for actor, (start, end) in enumerate(spans):
            # A single frame in common is no overlap; the later one has it.
            if min(end, body.end) <= max(start, body.start):
                keypoint[actor, body.start : body.end + 1] = body.joints
                spans[actor] = (min(start, body.start), max(end, body.end))
                break
        else:
            left_out += 1
    return keypoint, left_out


def choose_actors(recording: TrackedBodies) -> tuple[np.ndarray, Counter]:
    """Makes the clip of a recording.

    Returns:
        tuple: keypoint (M, T, 25, 3) float32 in metres, M one or two actors,
        and what was done, as counts: ``empty`` frames without a body, ``short``, ``wide`` and
        ``third`` bodies dropped, ``rescued`` 1 where every body was short and the longest was kept,
        ``uncovered`` frames that only dropped bodies had.
    """
    bodies = recording.bodies
    done = Counter(empty=recording.num_empty)
    if len(bodies) > 1:
        long = [b for b in bodies if len(b.joints) > MAX_GHOST_FRAMES]
        if not long:  # the published preparation stops with an error here
            long = [max(bodies, key=lambda b: (len(b.joints), motion(b.joints)))]
            done['rescued'] = 1
        done['short'] = len(bodies) - len(long)
        bodies, motions = drop_wide(long)
        done['wide'] = len(long) - len(bodies)
        order = np.argsort(-np.array(motions), kind='stable')
        bodies = [bodies[i] for i in order]
    keypoint, done['third'] = merge(bodies, recording.num_frames)
    if len(bodies) == 1:
        keypoint = keypoint[:1]
    if len(recording.bodies) > 1:
        covered = keypoint.any(axis=(0, 2, 3))  # (T,)
        done['uncovered'] = int((~covered).sum())
        keypoint = keypoint[:, covered]
    return np.ascontiguousarray(keypoint), done
