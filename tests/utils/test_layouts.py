import pytest
from mmaction.datasets.transforms import JointToBone
from mmaction.models.utils import Graph

from stars_mm.utils.layouts import NW_UCLA, joint_parents
from stars_mm.visualization.skeleton import bones_for


def test_ntu_is_mmactions():
    parents = joint_parents('nturgb+d')
    assert dict(enumerate(parents)) == dict(JointToBone('nturgb+d').pairs)


def test_nw_ucla_has_the_bones_that_are_drawn():
    parents = joint_parents('nw-ucla')
    found = {frozenset(pair) for pair in enumerate(parents)
             if len(set(pair)) == 2}
    assert found == {frozenset(pair) for pair in bones_for(20)}
    assert joint_parents(NW_UCLA) == parents
    for joint in range(20):  # every joint hangs on the centre
        for _ in range(20):
            joint = parents[joint]
        assert joint == NW_UCLA['center'] == 2


def test_mmactions_graph_takes_the_layout():
    graph = Graph(layout=NW_UCLA, mode='spatial')
    assert graph.A.shape == (3, 20, 20)
    joined = graph.A[1:].sum(0) > 0
    assert joined.sum() == 2 * 19 and (joined == joined.T).all()


@pytest.mark.parametrize('layout, message', [
    ('ntu', r'layout="ntu" is not known.*nturgb\+d.*nw-ucla'),
    (dict(num_node=3, inward=[]), r"lacks \['center'\]"),
    (dict(num_node=3, inward=[(1, 0)], center=0), r'3 joints .*\[0, 1\]'),
    (dict(num_node=3, inward=[(1, 0), (2, 0), (2, 1)], center=0),
     r'3 joints .*\[0, 1, 2, 2\]'),
])
def test_bad_layouts(layout, message):
    with pytest.raises(ValueError, match=message):
        joint_parents(layout)
