"""Coordinates that no body has, at each door, against honest ones of every unit."""

import numpy as np
import pytest

from stars_mm.datasets import SkeletonDataset
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.preparation.clip_faults import clip_fault, find_faults
from stars_mm.preparation.convert import convert
from stars_mm.preparation.inspection import inspect_annotations
from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.recording import Recording


def clip(value, dtype='f4', name='c'):
    keypoint = np.random.default_rng(0).normal(0, 1, (1, 4, 17, 3)).astype(dtype)
    keypoint[0, 2, 5, 1] = value
    return dict(frame_dir=name, label=0, total_frames=4, keypoint=keypoint)


@pytest.mark.parametrize(
    'unit, honest, far',
    [
        ('m', 9e3, 1.1e4),
        ('px', 9e3, 1.1e4),
        ('cm', 9e5, 1.1e6),
        ('mm', 9e6, 1.1e7),
        ('other', 9e6, 1.1e7),
        (None, 9e6, 1.1e7),
    ],
)
def test_farther_than_any_body(unit, honest, far):
    for sign in (-1, 1):
        assert clip_fault(clip(sign * honest), unit) is None
        assert 'keypoint[0, 2, 5, 1] is ' in clip_fault(clip(sign * far), unit)
        assert 'no body is beyond' in clip_fault(clip(sign * 1e38), unit)
    for value in (np.nan, np.inf):
        assert clip_fault(clip(value, 'f2'), unit).endswith(f'is {value}')


def test_each_door_refuses_it_by_name(tmp_path):
    layout = get_layout('coco-17')
    path = str(tmp_path / 'a.pkl')
    stored = dict(layout.to_dict(), unit='m')
    clips = [clip(1, name='near'), clip(2e4, name='far')]
    save_annotations(path, clips, dict(train=['near', 'far']), skeleton=stored)
    with pytest.raises(ValueError, match="a.pkl: clip 'far': keypoint.* beyond 10000"):
        SkeletonDataset(path, [], split='train').full_init()
    found = inspect_annotations(clips, dict(train=['near', 'far']), unit='m').faults
    assert [one.cases[0].split(':')[0] for one in found if one.kind == 'clip'] == ["'far'"]
    recordings = [Recording(c['frame_dir'], 'x', 's', c['keypoint']) for c in clips]
    with pytest.raises(ValueError, match="clip 'far': keypoint.* beyond 10000"):
        convert(recordings, str(tmp_path / 'b.pkl'), get_layout(stored))


def test_lengths_beside_arrays_that_were_checked():
    """A forged store's: its arrays and its lengths lie in files of their own."""
    clips = [dict(clip(1), total_frames=frames) for frames in (1, [[]], 0)]
    assert [*find_faults(clips, known={})] == [1, 2]
