"""MapJoints against joints that are averaged one by one."""

import numpy as np
import pytest

from stars_mm.datasets import SkeletonDataset
from stars_mm.datasets.transforms import MapJoints
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.preparation.layouts import get_layout

#: The joints of 'coco-17' whose mean is each one of 'common-15'.
COCO = [(3, 4), (5, 6), (5, 6, 11, 12), 5, 7, 9, 6, 8, 10, 11, 13, 15, 12, 14, 16]


def test_coordinates_and_scores(make_clip):
    clip = make_clip(0, (2, 6, 17, 2), keypoint_score=np.random.default_rng(0).random((2, 6, 17)))
    clip['keypoint'][1, 2] = clip['keypoint_score'][1, 2] = 0  # the second person is away
    results = MapJoints('coco-17')({**clip})
    assert results['keypoint'].dtype == results['keypoint_score'].dtype == np.float32
    for key, tolerance in (('keypoint', 1e-6), ('keypoint_score', 1e-6)):
        source = clip[key].astype(np.float64)
        expected = [source[:, :, list(np.atleast_1d(of))].mean(2) for of in COCO]
        np.testing.assert_allclose(results[key], np.stack(expected, 2), atol=tolerance)
        assert not results[key][1, 2].any()
    assert results['layout'] == get_layout('common-15')
    again = MapJoints()({**results})  # now they are common joints
    np.testing.assert_array_equal(again['keypoint'], results['keypoint'])


def test_the_file_says_the_joints(tmp_path, make_clip):
    clips = [make_clip(number, (1, 8, 15, 3)) for number in range(2)]
    path = str(tmp_path / 'a.pkl')

    def first(**extra):
        save_annotations(path, clips, dict(train=['clip0', 'clip1']), **extra)
        return SkeletonDataset(path, [MapJoints()], split='train')[0]

    kard = get_layout('kard-15')
    found = first(layout='made up', skeleton=kard.to_dict())['keypoint']
    for joint, name in enumerate(kard.joints):
        name = name.replace('hand', 'wrist').replace('foot', 'ankle')
        place = get_layout('common-15').joints.index(name)
        np.testing.assert_array_equal(found[:, :, place], clips[0]['keypoint'][:, :, joint])
    np.testing.assert_array_equal(first(layout='kard-15')['keypoint'], found)
    for unknown in ({}, dict(layout='my.json')):  # a stranger's file names no path
        with pytest.raises(ValueError, match="clip 'clip0' comes from a file that does not say"):
            first(**unknown)


def test_refusals(make_clip):
    with pytest.raises(ValueError, match="'clip0' has 5 joints, and layout 'kard-15' has 15"):
        MapJoints('kard-15')(make_clip(0))
    with pytest.raises(ValueError, match='layout="nobody" is not known'):
        MapJoints('nobody')
    arm = dict(joints=['a', 'b'], parents=[0, 0], center='a')
    with pytest.raises(ValueError, match='cannot be mapped'):
        MapJoints(arm)
