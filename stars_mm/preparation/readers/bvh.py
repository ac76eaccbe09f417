"""BVH motion capture, as that of CMU.

A ``.bvh`` holds a tree of joints with offsets, and for each frame the angles (and the root's
position) that move it. CMU's files are called ``SUBJECT_TAKE.bvh``; put those of a class into a
folder of its name. Of the joints, the 17 of layout 'h36m-17' are taken. CMU's lengths are no
metres; for others that are, say ``--unit cm`` or the like.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from stars_mm.preparation.recording import Recording, RecordingSet
from stars_mm.preparation.source_files import SourceFile, find_files, labels_of_folders
from stars_mm.utils.input_error import shown
from stars_mm.utils.limits import check_asked

#: CMU's joints at the places of 'h36m-17'.
H36M = tuple(
    'Hips RightUpLeg RightLeg RightFoot LeftUpLeg LeftLeg LeftFoot Spine Spine1 Neck1 Head LeftArm '
    'LeftForeArm LeftHand RightArm RightForeArm RightHand'.split()
)

_CHANNEL = '[XYZ](position|rotation)'
_JOINT_BYTES = 8 * (9 + 3)  #: of a joint's turn and place in a frame


class Joint(NamedTuple):
    """A joint of the tree; ``parent`` is its place in the list, -1 of the
    root, ``channels`` such as 'Zrotation' in the order of the numbers."""

    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...]


def read(src: str, joints: Sequence[str] = H36M, step: int = 4) -> RecordingSet:
    """Lists the clips of a folder or zip with one folder a class, or with none: clips without
    labels.

    Args:
        src (str): The folder or zip.
        joints (sequence[str]): Those to take, in the layout's order.
        step (int): Every how manieth frame; CMU has 120 a second.
    """
    files = find_files(src, '.bvh')
    recordings = [
        Recording(
            name=file.name,
            label=label,
            subject=file.stem.split('_')[0],
            keypoints=partial(load, file, tuple(joints), step),
            source=file.where,
        )
        for file, label in zip(files, labels_of_folders(files))
    ]
    return RecordingSet(recordings, layout='h36m-17', unit='other')


def load(file: SourceFile, joints: Sequence[str], step: int) -> np.ndarray:
    """Positions of some joints of a file, (T, V, 3)."""
    words = file.read().decode('utf-8', 'replace').split()
    try:
        start = words.index('MOTION')
        tree = parse_tree(words[:start])
        count, width = int(words[start + 2]), sum(len(joint.channels) for joint in tree)
        numbers = np.array(words[start + 6 :], dtype=np.float64)
    except (ValueError, IndexError) as error:
        raise ValueError(f'is no whole BVH ({error}).') from error
    if len(numbers) != count * width:
        needed = f'{count} frames of {width} are {count * width}'
        raise ValueError(f'has {len(numbers)} numbers; {needed}. Is it cut off?')
    if width == 0 and count:
        raise ValueError('has no CHANNELS.')
    check_asked(count * len(tree) * _JOINT_BYTES, numbers.nbytes, f'{len(tree)} joints')
    names = [joint.name for joint in tree]
    if missing := [joint for joint in joints if joint not in names]:
        known = ', '.join(names[:100])
        raise ValueError(f'has no joint {missing[0]!r}; its joints are {known}. Say which to take.')
    if double := [joint for joint in joints if names.count(joint) > 1]:
        raise ValueError(f'has several joints {double[0]!r}. Leave one body, or rename them.')
    places = positions(tree, numbers.reshape(count, width)[::step])
    return places[:, [names.index(joint) for joint in joints]]


def parse_tree(words: list[str]) -> list[Joint]:
    """The joints of a file's HIERARCHY, parents first."""
    tree: list[Joint] = []
    open_joints = [-1]
    i = words.index('ROOT')
    while i < len(words):
        end = i + 1
        if words[i] in ('ROOT', 'JOINT', 'End'):
            end = i + 2
            tree.append(Joint(words[i + 1], open_joints[-1], np.zeros(3), ()))
        elif words[i] == '{':
            open_joints.append(len(tree) - 1)
        elif words[i] == '}':
            open_joints.pop()
        elif words[i] == 'OFFSET':
            end = i + 4
            tree[-1] = tree[-1]._replace(offset=np.array(words[i + 1 : end], dtype=np.float64))
        elif words[i] == 'CHANNELS':
            end = i + 2 + int(words[i + 1])
            if not 0 <= int(words[i + 1]) <= 6:
                raise ValueError(f'a joint has {words[i + 1]} channels')
            tree[-1] = tree[-1]._replace(channels=tuple(words[i + 2 : end]))
            if odd := [c for c in tree[-1].channels if not re.fullmatch(_CHANNEL, c)]:
                raise ValueError(f'unknown channel {shown(odd[0])}')
        else:
            raise ValueError(f'unknown word {shown(words[i])}')
        i = end
    return tree


def positions(tree: Sequence[Joint], numbers: np.ndarray) -> np.ndarray:
    """Forward kinematics, (T, joints, 3), of (T, channels of all joints) in degrees.

    A position says where a joint is, in place of its offset, which is the rest pose's.
    """
    T = len(numbers)
    turns = np.empty((len(tree), T, 3, 3))
    places = np.empty((len(tree), T, 3))
    columns = iter(numbers.T)
    for j, joint in enumerate(tree):
        move, turn = np.tile(joint.offset, (T, 1)), np.eye(3)
        for channel in joint.channels:
            axis, values = channel[0], next(columns)
            if channel.endswith('position'):
                move[:, 'XYZ'.index(axis)] = values
            else:
                turn = turn @ Rotation.from_euler(axis, values[:, None], degrees=True).as_matrix()
        if joint.parent < 0:
            turns[j], places[j] = turn, move
        else:
            parent = turns[joint.parent]
            turns[j] = parent @ turn
            places[j] = places[joint.parent] + (parent @ move[..., None])[..., 0]
    return places.swapaxes(0, 1)
