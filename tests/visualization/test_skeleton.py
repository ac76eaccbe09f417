import numpy as np
import pytest
from mmaction.models.utils.graph import Graph

from stars_mm.visualization.skeleton import bones_for, project, segments


def test_ntu_bones_are_those_of_mmaction():
    graph = Graph(layout='nturgb+d', mode='spatial')
    theirs = {frozenset(pair) for pair in graph.inward}
    assert {frozenset(pair) for pair in bones_for(25)} == theirs


@pytest.mark.parametrize('num_joints', [20, 25])
def test_bones_are_a_tree_over_all_joints(num_joints):
    reached, bones = {0}, list(bones_for(num_joints))
    assert len(bones) == num_joints - 1
    for _ in range(num_joints):
        reached |= {j for pair in bones if reached & set(pair) for j in pair}
    assert reached == set(range(num_joints))


def test_unknown_layout_has_points_only():
    assert bones_for(17) == ()
    assert segments(np.zeros((17, 2)), (), np.ones(17, bool)).shape == (0, 2, 2)


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
