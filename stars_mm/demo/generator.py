"""Clips, and the annotation file made of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from stars_mm.demo import pair_actions as pair
from stars_mm.demo import solo_actions as solo
from stars_mm.demo.body import Subject, Take, draw_subject
from stars_mm.demo.kinematics import rot_y, solve
from stars_mm.demo.pose import idle, stroke
from stars_mm.demo.sensor import FPS, Camera, track


class Action(NamedTuple):
    """An entry of the catalogue."""

    name: str
    script: Callable  # see solo_actions.py and pair_actions.py
    seconds: tuple[float, float]  # shortest and longest repetition at average tempo
    times: tuple[int, int] = (1, 1)  # fewest and most repetitions
    persons: int = 1
    returns: bool = True  # whether it ends as it began, so that people do it again and again


# Lengths of repetitions were set by eye. Neighbours are hard pairs.
ACTIONS = (
    Action('throw', solo.throw, (1.7, 2.5), (1, 2)),
    Action('punch', solo.punch, (0.9, 1.3), (1, 3)),
    Action('kick', solo.kick, (1.1, 1.7), (1, 2)),
    Action('step forward', solo.step_forward, (1.8, 2.6), returns=False),
    Action('sit down', solo.sit_down, (1.2, 2.2), returns=False),
    Action('stand up', solo.stand_up, (1.1, 2.0), returns=False),
    Action('squat', solo.squat, (1.3, 2.2), (1, 2)),
    Action('jump', solo.jump, (1.2, 1.8), (1, 2)),
    Action('walk on the spot', solo.walk, (2.0, 3.6)),
    Action('march on the spot', solo.march, (2.0, 3.6)),
    Action('bow', solo.bow, (1.6, 2.8)),
    Action('pick up', solo.pick_up, (1.6, 2.8), returns=False),
    Action('handshake', pair.handshake, (1.8, 3.0), persons=2),
    Action('high five', pair.high_five, (1.4, 2.4), persons=2),
    Action('push', pair.push, (1.4, 2.4), persons=2),
)
CLASS_NAMES = tuple(action.name for action in ACTIONS)
NUM_PERSONS = tuple(action.persons for action in ACTIONS)

FRAMES = (40, 150)  # shortest and longest clip, 1.3 s and 5 s
# What returns to its start is filmed from anywhere within a run of repetitions,
# for some seconds; the rest between two of them is a share of one.
RUN_SECONDS, REST = (2.0, 5.0), (0.0, 0.15)
# Seconds of idling before and after the action. Negative: the cut clips the
# action's first or last part, as a careless annotator does.
LEAD, MAX_CLIPPED = (-0.3, 1.3), 0.12  # the latter as a share of the action
# A person acts with the preferred hand but for this share of the takes.
OTHER_HAND_SHARE = 0.15
# Amplitude and tempo differ from take to take, too.
TAKE_SPREAD = 0.10
# Share of the takes in which one who acts alone turns meanwhile.
TURN_SHARE = 0.3
TURN_SPREAD = np.deg2rad(25.0)
# Standing points of two persons are this far apart, in arm lengths.
PAIR_DISTANCE = (1.45, 1.95)
# One subject in three is kept for validation.
VAL_EVERY = 3


def is_val(subject: int) -> bool:
    """Whether a subject belongs to the validation split."""
    return subject % VAL_EVERY == VAL_EVERY - 1


def _draw_take(action: Action, subject: Subject, rng: np.random.Generator) -> Take:
    times = int(rng.integers(*action.times, endpoint=True))
    tempo = subject.tempo * np.exp(rng.normal(0, TAKE_SPREAD))
    amplitude = subject.amplitude * np.exp(rng.normal(0, TAKE_SPREAD))
    side = 1 - subject.hand if rng.random() < OTHER_HAND_SHARE else subject.hand
    seconds = rng.uniform(*action.seconds) * times / tempo
    return Take(subject, rng, side, seconds, times, amplitude)


def _progress(seconds: float, returns: bool, rng: np.random.Generator):
    """Time axis of a clip: (T,) seconds and (T,) progress of the action."""
    if returns:
        num_frames = int(round(rng.uniform(*RUN_SECONDS) * FPS))
        time = np.arange(num_frames) / FPS
        period = 1 + rng.uniform(*REST)
        return time, (time / seconds + rng.uniform(0, period)) % period
    lead, tail = np.maximum(rng.uniform(*LEAD, size=2), -MAX_CLIPPED * seconds)
    num_frames = int(np.clip(round((lead + seconds + tail) * FPS), *FRAMES))
    time = np.arange(num_frames) / FPS
    return time, (time - lead) / seconds


def _turn(share: np.ndarray, take: Take) -> np.ndarray:
    """What some people do besides, turn a little: (T,) radians to the left, of the whole body, for
    shares (T,) of the clip from 0 to 1."""
    if not take.chance(TURN_SHARE):
        return np.zeros_like(share)
    start = take.between(-0.2, 0.6)
    angle = take.rng.normal(0, TURN_SPREAD)
    return angle * stroke(share, start, start + 0.5)


def _face_each_other(first: np.ndarray, second: np.ndarray, distance: float) -> None:
    """Place two persons, (T, 25, 3) each, on both sides of the origin."""
    for person, sign in ((first, -1.0), (second, 1.0)):
        quarter = rot_y(np.array([sign * np.pi / 2]))[0]
        person[:] = person @ quarter.T
        person[..., 0] += sign * distance / 2


def make_clip(
    label: int, subjects: tuple[Subject, ...], rng: np.random.Generator, noise: bool = True
) -> np.ndarray:
    """Records one clip, (M, T, 25, 3) float32, camera space in metres.

    Args:
        label (int): Index into ``CLASS_NAMES``.
        subjects (tuple): One subject per person of the action.
        rng (np.random.Generator): Source of chance; the motion does not depend on ``noise``.
        noise (bool): Whether the tracker errs.
    """
    action = ACTIONS[label]
    takes = [_draw_take(action, subject, rng) for subject in subjects]
    time, progress = _progress(takes[0].seconds, action.returns, rng)
    for take in takes[1:]:
        take.seconds = takes[0].seconds
    poses = [idle(take.subject, rng, time) for take in takes]
    if action.persons == 1:
        heading = _turn(time / time[-1], takes[0])
        action.script(poses[0], progress, takes[0])
    else:
        reach = np.mean([take.subject.arm for take in takes])
        distance = reach * rng.uniform(*PAIR_DISTANCE)
        action.script(poses, progress, takes, distance)
    for pose in poses:
        pose.counterbalance()
    joints = [solve(pose, take.subject) for pose, take in zip(poses, takes)]
    if action.persons == 1:
        joints = [joints[0] @ rot_y(heading).swapaxes(1, 2)]
    else:
        _face_each_other(*joints, distance)
        if rng.random() < 0.5:  # the tracker numbers bodies as it finds them
            joints.reverse()
    camera = Camera.draw(rng)
    joints = [camera.view(person) for person in joints]
    if noise:
        joints = [track(person, rng) for person in joints]
    return np.stack(joints).astype(np.float32)


def _cast(index: int, persons: int, num_subjects: int, rng: np.random.Generator) -> list[int]:
    """Subjects of a class's clip; a partner is of the same split."""
    main = index % num_subjects
    if persons == 1:
        return [main]
    others = [s for s in range(num_subjects) if s != main and is_val(s) == is_val(main)]
    return [main, int(rng.choice(others or [main]))]


def make_annotations(
    clips_per_class: int = 45, num_subjects: int = 18, seed: int = 0, noise: bool = True
) -> dict:
    """Make the whole data set.

    Each clip has a source of chance of its own, ``[seed, clip]``.

    Args:
        clips_per_class (int): Clips of every class, dealt to the subjects in turn.
        num_subjects (int): Every third one is for validation.
        seed (int): The same seed gives the same bytes.
        noise (bool): Whether the tracker errs.

    Returns:
        dict: mmaction2's annotations: ``split`` (``xsub_train`` and ``xsub_val``) and
        ``annotations`` (``frame_dir``, ``label``, ``keypoint`` (M, T, 25, 3) in metres,
        ``total_frames``); besides, ``class_names`` and ``provenance``.

    Raises:
        ValueError: If a split would lack subjects or classes.
    """
    settings = dict(clips_per_class=clips_per_class, num_subjects=num_subjects)
    for key, value in settings.items():
        if value < VAL_EVERY:
            raise ValueError(f'{key}={value} leaves a split empty; use at least {VAL_EVERY}.')
    people = [draw_subject(seed, index) for index in range(num_subjects)]
    split = dict(xsub_train=[], xsub_val=[])
    annotations = []
    for clip in range(clips_per_class * len(ACTIONS)):
        index, label = divmod(clip, len(ACTIONS))
        rng = np.random.default_rng([seed, clip])
        cast = _cast(index, NUM_PERSONS[label], num_subjects, rng)
        keypoint = make_clip(label, tuple(people[s] for s in cast), rng, noise)
        name, frames = f'C{clip:05d}P{cast[0] + 1:03d}A{label + 1:03d}', keypoint.shape[1]
        split['xsub_val' if is_val(cast[0]) else 'xsub_train'].append(name)
        annotations.append(
            dict(frame_dir=name, label=label, keypoint=keypoint, total_frames=frames)
        )
    source = 'stars_mm demo actions, made by a kinematic body model'
    return dict(
        split=split,
        annotations=annotations,
        class_names=list(CLASS_NAMES),
        provenance=dict(source=source, **settings, seed=seed, noise=noise),
    )
