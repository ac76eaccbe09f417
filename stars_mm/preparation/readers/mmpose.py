"""Predictions that mmpose's inferencer and its demos save of a video.

A list of ``dict(frame_id, instances=[dict(keypoints, keypoint_scores), …])``,
which the demos put under the key ``instance_info``. The order of persons
changes from frame to frame, so they are followed here.
"""

from typing import Any

import numpy as np

from stars_mm.preparation.recording import Clip
from stars_mm.utils.limits import check_asked


def is_mmpose(content: Any) -> bool:
    """Whether the content of a JSON file is such predictions."""
    if isinstance(content, dict):
        return 'instance_info' in content
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict)


def parse_mmpose(content: Any, num_joints: int, num_person: int) -> Clip:
    """Puts the predictions of a video, the content of a JSON file, together.

    Returns:
        Clip: Keypoints (M, T, V, C) and scores (M, T, V), zero where a person is not seen; M is at
        most ``num_person``, those that are seen longest and most surely. Frames without anybody at
        the beginning and the end are left out.

    Raises:
        ValueError: Names the frame, the instance and the key.
    """
    frames = content['instance_info'] if isinstance(content, dict) else content
    if not isinstance(frames, list):
        raise ValueError("has no list 'instance_info'.")
    bodies = [
        read_frame(frame, f'instance_info[{i}]', num_joints) for i, frame in enumerate(frames)
    ]
    seen = [t for t, frame in enumerate(bodies) if len(frame)]
    if not seen:
        raise ValueError('shows no body in any frame.')
    tracks = _follow(bodies[seen[0] : seen[-1] + 1])
    # the sum of a track's scores: how long and how surely it is seen
    order = np.argsort([-track[..., -1].sum() for track in tracks], kind='stable')
    kept = np.stack([tracks[i] for i in order[:num_person]])
    return Clip(kept[..., :-1], kept[..., -1])


def read_frame(frame: Any, where: str, num_joints: int) -> np.ndarray:
    """The bodies of a frame, ``dict(instances=[dict(keypoints, keypoint_scores), …])``, as
    (persons, V, C + 1), the score last; a ValueError that begins with ``where`` for anything
    else."""
    if not isinstance(frame, dict) or not isinstance(frame.get('instances'), list):
        raise ValueError(f"{where} has no list 'instances'. It is no prediction of a video.")
    bodies = []
    for i, instance in enumerate(frame['instances']):
        arrays = {}
        for key in ('keypoints', 'keypoint_scores'):
            place = f"{where}['instances'][{i}]['{key}']"
            try:
                array = np.array(instance[key], dtype=np.float64)
            except (KeyError, TypeError, ValueError):
                raise ValueError(f'{place} is missing or holds no numbers.') from None
            # a lifter may leave an axis of length 1 in front
            while array.ndim > 1 and len(array) == 1:
                array = array[0]
            wanted = (num_joints,) + (array.shape[-1:] if key == 'keypoints' else ())
            if array.shape != wanted or (key == 'keypoints' and array.shape[-1] not in (2, 3)):
                layout = f'the layout has {num_joints} joints'
                raise ValueError(f'{place} has shape {array.shape}; {layout}.')
            arrays[key] = array
        bodies.append(np.column_stack(list(arrays.values())))
    if len({body.shape for body in bodies}) > 1:
        raise ValueError(f'{where} mixes bodies in 2D and 3D.')
    return np.array(bodies)


def _follow(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Joins the bodies of all frames to tracks (T, V, C + 1): a body goes to the track whose last
    position is nearest, all bodies of a frame together at the least total distance."""
    from scipy.optimize import linear_sum_assignment  # not by those who want its name alone

    T = len(frames)
    tracks: list[np.ndarray] = []
    last: list[np.ndarray] = []
    given = sum(bodies.nbytes for bodies in frames)
    most = max(map(len, frames))
    size = most * max(T, most) * frames[0][0].nbytes  # tracks, or distances of all to all
    check_asked(size, given, f'{most} persons in {T} frames')
    for t, bodies in enumerate(frames):
        if not len(bodies):
            continue
        if bodies.shape[1:] != frames[0].shape[1:]:
            one, other = (bodies.shape[-1] - 1 for bodies in (bodies, frames[0]))
            raise ValueError(f'frame {t} has {one} coordinates, frame 0 {other}.')
        places = bodies[..., :-1]
        new = set(range(len(bodies)))
        if tracks:
            distance = np.linalg.norm(places[:, None] - np.stack(last), axis=-1).mean(axis=-1)
            for body, track in zip(*linear_sum_assignment(distance)):
                tracks[track][t], last[track] = bodies[body], places[body]
                new.discard(int(body))
        for body in sorted(new):
            tracks.append(np.zeros((T, *bodies.shape[1:])))
            tracks[-1][t] = bodies[body]
            last.append(places[body])
    return tracks
