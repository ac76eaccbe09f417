"""Finds a layout by name, in a file, or in a dict."""

import json
import os.path as osp

import yaml

from stars_mm.preparation.layouts.known import ALIASES, LAYOUTS
from stars_mm.preparation.layouts.layout import SkeletonLayout

#: Kinect v1 joints of Northwestern-UCLA Multiview Action 3D as mmaction2's graph networks take
#: them: ``inward`` holds (joint, next joint towards the centre).
NW_UCLA = LAYOUTS['kinect-20'].graph


def known_layouts() -> list[str]:
    """Names that :func:`get_layout` knows, aliases left out."""
    return list(LAYOUTS)


def get_layout(layout: str | dict | SkeletonLayout) -> SkeletonLayout:
    """A layout by name, from a file or from a dict.

    Args:
        layout (str, dict or SkeletonLayout): A name such as 'coco-17'; the path of a ``.json`` or
            ``.yml`` with the keys that :meth:`SkeletonLayout.from_dict` takes; such a dict; or a
            dict with ``num_node``, ``inward`` and ``center``, as mmaction2's graph networks take
            it. Nothing in a file is run.

    Raises:
        ValueError: If the name is unknown, or the layout is not sound.
        FileNotFoundError: If there is no such file.
    """
    if isinstance(layout, SkeletonLayout):
        return layout
    if isinstance(layout, dict):
        of_graph = 'num_node' in layout or 'inward' in layout
        return _from_graph(layout) if of_graph else SkeletonLayout.from_dict(layout)
    if ALIASES.get(layout, layout) in LAYOUTS:
        return LAYOUTS[ALIASES.get(layout, layout)]
    if not layout.endswith(('.json', '.yml', '.yaml')):
        python = ' A .py is not run any more: write its values as .json.' * layout.endswith('.py')
        raise ValueError(
            f'layout="{layout}" is not known: choose one of {[*ALIASES, *LAYOUTS]}, or give a '
            f'.json or .yml file with joints, parents and center.{python}'
        )
    if not osp.isfile(layout):
        raise FileNotFoundError(f'layout="{layout}": there is no such file.')
    try:
        with open(layout, encoding='utf-8') as file:
            content = (json.load if layout.endswith('.json') else yaml.safe_load)(file)
        if not isinstance(content, dict):
            raise ValueError(f'holds a {type(content).__name__}, and a dict is needed')
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f'{layout}: cannot be read as a layout ({error}).') from error
    try:
        return SkeletonLayout.from_dict(content, osp.basename(layout))
    except (TypeError, ValueError) as error:
        raise ValueError(f'{layout}: {error}') from error


def stored_layout(extra: dict, ann_file: str) -> SkeletonLayout | None:
    """The layout that an annotation file says its clips have, None where it does not say.

    A file may come from a stranger, so what it says is a name or the layout itself, never a path.

    Args:
        extra (dict): The file's further entries; ``skeleton`` is a layout's
            dict, ``layout`` a name or a dict.
        ann_file (str): The file, for messages.

    Raises:
        ValueError: If it says something else, or a layout that is not sound.
    """
    found = extra.get('skeleton') or extra.get('layout')
    if found is None:
        return None
    if not isinstance(found, dict) and found not in [*ALIASES, *LAYOUTS]:
        known = f'neither one of {known_layouts()} nor a dict'
        raise ValueError(f'{ann_file}: its layout {found!r} is {known}. Say another one.')
    try:
        return get_layout(found)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{ann_file}: {error}') from error


def joint_parents(layout: str | dict | SkeletonLayout) -> list[int]:
    """The joint at the other end of each of the V joints' bones; the root is its own.

    Raises:
        ValueError: If the layout is unknown or not sound; see :func:`get_layout`.
    """
    return list(get_layout(layout).parents)


def _from_graph(graph: dict) -> SkeletonLayout:
    missing = sorted({'num_node', 'inward', 'center'} - set(graph))
    if missing:
        raise ValueError(f'layout lacks {missing}; num_node, inward and center are needed.')
    V, center = graph['num_node'], graph['center']
    pairs = sorted([*map(tuple, graph['inward']), (center, center)])
    joints = [joint for joint, _ in pairs]
    if joints != list(range(V)):
        raise ValueError(
            f'layout: each of its {V} joints but the center needs one bone towards it in inward; '
            f'with the center, bones start from {joints}.'
        )
    return SkeletonLayout(
        name='graph',
        joints=tuple(f'joint_{joint}' for joint in range(V)),
        parents=tuple(parent for _, parent in pairs),
        center=center,
    )
