"""Finds a layout by name, in a file, or in a dict."""

import os.path as osp

from mmengine.config import Config

from stars_mm.preparation.layouts.known import COCO_17, H36M_17, KINECT_20, NTU_25, OPENPOSE_18
from stars_mm.preparation.layouts.layout import SkeletonLayout

_KNOWN = {layout.name: layout for layout in (NTU_25, KINECT_20, COCO_17, H36M_17, OPENPOSE_18)}
#: mmaction2's names, and those of data sets.
_ALIASES = {'nturgb+d': NTU_25, 'nw-ucla': KINECT_20, 'coco': COCO_17, 'openpose': OPENPOSE_18}

#: Kinect v1 joints of Northwestern-UCLA Multiview Action 3D as mmaction2's graph networks take
#: them: ``inward`` holds (joint, next joint towards the centre).
NW_UCLA = KINECT_20.graph


def known_layouts() -> list[str]:
    """Names that :func:`get_layout` knows, aliases left out."""
    return list(_KNOWN)


def get_layout(layout: str | dict | SkeletonLayout) -> SkeletonLayout:
    """A layout by name, from a file or from a dict.

    Args:
        layout (str, dict or SkeletonLayout): A name such as 'coco-17'; the path of a ``.json``,
            ``.yml`` or ``.py`` with the keys that :meth:`SkeletonLayout.from_dict` takes; such a
            dict; or a dict with ``num_node``, ``inward`` and ``center``, as mmaction2's graph
            networks take it. A ``.py`` is run like a config.

    Returns:
        SkeletonLayout: The layout.

    Raises:
        ValueError: If the name is unknown, or the layout is not sound.
        FileNotFoundError: If there is no such file.
    """
    if isinstance(layout, SkeletonLayout):
        return layout
    if isinstance(layout, dict):
        return (
            _from_graph(layout)
            if 'num_node' in layout or 'inward' in layout
            else SkeletonLayout.from_dict(layout)
        )
    known = {**_ALIASES, **_KNOWN}
    if layout in known:
        return known[layout]
    if osp.splitext(layout)[1] not in ('.json', '.yml', '.yaml', '.py'):
        raise ValueError(
            f'layout="{layout}" is not known: choose one of {list(known)}, '
            'or give a .json or .py file with joints, parents and center, or '
            'a dict with num_node, inward and center.'
        )
    if not osp.isfile(layout):
        raise FileNotFoundError(f'layout="{layout}": there is no such file.')
    try:
        content = Config.fromfile(layout).to_dict()
    except Exception as error:
        raise ValueError(f'{layout}: cannot be read as a layout ({error}).') from error
    try:
        return SkeletonLayout.from_dict(content, osp.basename(layout))
    except ValueError as error:
        raise ValueError(f'{layout}: {error}') from error


def stored_layout(extra: dict, ann_file: str) -> SkeletonLayout | None:
    """The layout that an annotation file says its clips have.

    A file may come from a stranger, so what it says is a name or the layout
    itself, and never a path: a ``.py`` would be run.

    Args:
        extra (dict): The file's further entries; ``skeleton`` is a layout's
            dict, ``layout`` a name or a dict.
        ann_file (str): The file, for messages.

    Returns:
        SkeletonLayout, optional: None where the file does not say.

    Raises:
        ValueError: If it says something else, or a layout that is not sound.
    """
    found = extra.get('skeleton') or extra.get('layout')
    if found is None:
        return None
    names = {**_ALIASES, **_KNOWN}
    if not isinstance(found, dict) and (not isinstance(found, str) or found not in names):
        raise ValueError(
            f'{ann_file}: its layout {found!r} is neither one of '
            f'{known_layouts()} nor a dict. Say another one where the file '
            'is used.'
        )
    try:
        return get_layout(found)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{ann_file}: {error}') from error


def joint_parents(layout: str | dict | SkeletonLayout) -> list[int]:
    """The joint at the other end of each joint's bone.

    Args:
        layout (str, dict or SkeletonLayout): See :func:`get_layout`.

    Returns:
        list[int]: One for each of the V joints; the root is its own.

    Raises:
        ValueError: If the layout is unknown, or not every joint but the
            root has exactly one bone towards it.
    """
    return list(get_layout(layout).parents)


def _from_graph(graph: dict) -> SkeletonLayout:
    missing = sorted({'num_node', 'inward', 'center'} - set(graph))
    if missing:
        raise ValueError(
            f'layout lacks {missing}; a layout is a dict with num_node, inward and center.'
        )
    V, centre = graph['num_node'], graph['center']
    pairs = sorted([*map(tuple, graph['inward']), (centre, centre)])
    joints = [joint for joint, _ in pairs]
    if joints != list(range(V)):
        raise ValueError(
            f'layout: of its {V} joints each one but the centre needs one '
            'bone towards it in inward; bones start from the joints '
            f'{joints}, the centre included.'
        )
    return SkeletonLayout(
        name='graph',
        joints=tuple(f'joint_{joint}' for joint in range(V)),
        parents=tuple(parent for _, parent in pairs),
        center=centre,
    )
