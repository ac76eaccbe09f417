"""Bones of skeleton layouts, those included that mmaction2 has no name for."""
from typing import List, Tuple, Union

from mmaction.datasets.transforms import JointToBone

#: Kinect v1 joints of Northwestern-UCLA Multiview Action 3D, numbered from 0:
#: hip centre, spine, shoulder centre, head, then arms and legs, left first.
#: A dict of the form that the ``graph_cfg`` of mmaction2's networks takes;
#: ``inward`` holds (joint, next joint towards the centre).
NW_UCLA = dict(
    num_node=20,
    inward=[(0, 1), (1, 2), (3, 2), (4, 2), (5, 4), (6, 5), (7, 6), (8, 2),
            (9, 8), (10, 9), (11, 10), (12, 0), (13, 12), (14, 13), (15, 14),
            (16, 0), (17, 16), (18, 17), (19, 18)],
    center=2)

LAYOUTS = {'nw-ucla': NW_UCLA}


def joint_parents(layout: Union[str, dict]) -> List[int]:
    """The joint at the other end of each joint's bone.

    Args:
        layout (str or dict): ``'nturgb+d'``, as mmaction2's ``JointToBone``
            has it, ``'nw-ucla'``, or a dict with ``num_node``, ``inward`` and
            ``center``, as :data:`NW_UCLA`.

    Returns:
        list[int]: One for each of the V joints; the centre is its own.

    Raises:
        ValueError: If the layout is unknown, or not every joint but the
            centre has exactly one bone towards it.
    """
    if layout == 'nturgb+d':
        return _by_joint(JointToBone(layout).pairs, 25)
    if isinstance(layout, str):
        if layout not in LAYOUTS:
            raise ValueError(
                f'layout="{layout}" is not known: choose one of '
                f"{['nturgb+d', *LAYOUTS]}, or give a dict with num_node, "
                'inward and center.')
        layout = LAYOUTS[layout]
    missing = sorted({'num_node', 'inward', 'center'} - set(layout))
    if missing:
        raise ValueError(f'layout lacks {missing}; a layout is a dict with '
                         'num_node, inward and center.')
    centre = layout['center']
    return _by_joint([*layout['inward'], (centre, centre)],
                     layout['num_node'])


def _by_joint(pairs: List[Tuple[int, int]], num_joints: int) -> List[int]:
    joints = sorted(joint for joint, _ in pairs)
    if joints != list(range(num_joints)):
        raise ValueError(
            f'layout: of its {num_joints} joints each one but the centre '
            'needs one bone towards it in inward; bones start from the '
            f'joints {joints}, the centre included.')
    return [parent for _, parent in sorted(pairs)]
