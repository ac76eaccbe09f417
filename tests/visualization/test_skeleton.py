import numpy as np
import pytest
from mmaction.datasets.transforms import JointToBone

from stars_mm.preparation.layouts import NW_UCLA
from stars_mm.visualization.skeleton import bones_of, project, segments


def test_ntu_bones_are_those_of_mmaction():
    pairs = JointToBone('nturgb+d').pairs
    theirs = {frozenset(pair) for pair in pairs if len(set(pair)) == 2}
    assert {frozenset(pair) for pair in bones_of(25)} == theirs
    assert len(theirs) == 24 and bones_of(25) == bones_of(25, 'nturgb+d')


def test_layouts_by_name_by_number_of_joints_and_none():
    assert len(bones_of(20)) == 19
    assert bones_of(20) == bones_of(20, 'nw-ucla') == bones_of(20, NW_UCLA)
    assert bones_of(6) == bones_of(17) == ()  # unknown; more than one
    assert segments(np.zeros((17, 2)), (), np.ones(17, bool)).shape == (0, 2, 2)
    with pytest.raises(ValueError, match='20 joints, the clips have 25'):
        bones_of(25, 'nw-ucla')


def test_projection_keeps_height_and_distances_in_its_plane():
    joints = np.random.default_rng(0).normal(size=(4, 5, 3))
    front, side = project(joints, 0.0), project(joints, np.pi / 2)
    np.testing.assert_allclose(front, joints[..., [0, 1]])
    np.testing.assert_allclose(side, joints[..., [2, 1]])


def test_segments_leave_out_hidden_joints():
    points = np.arange(8.0).reshape(4, 2)
    shown = np.array([True, True, False, True])
    lines = segments(points, ((0, 1), (1, 2), (3, 0)), shown)
    np.testing.assert_array_equal(lines, [[[0, 1], [2, 3]], [[6, 7], [0, 1]]])
