"""Finds a layout by name, in a file, or in a dict."""

import json
import os.path as osp
from typing import Any

import yaml

from stars_mm.preparation.layouts.known import ALIASES, LAYOUTS
from stars_mm.preparation.layouts.layout import MOST_JOINTS, SkeletonLayout
from stars_mm.utils.input_error import reading, shown

#: Kinect v1 joints of Northwestern-UCLA Multiview Action 3D as mmaction2's graph networks take
#: them: ``inward`` holds (joint, next joint towards the centre).
NW_UCLA = LAYOUTS['kinect-20'].graph
#: A layout is small and flat.
_MOST_BYTES = 256 << 10
_DEPTH = 8


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
        InputError: If that of a file is not.
        FileNotFoundError: If there is no such file.
    """
    if isinstance(layout, SkeletonLayout):
        return layout
    if isinstance(layout, dict):
        of_graph = 'num_node' in layout or 'inward' in layout
        return _from_graph(layout) if of_graph else SkeletonLayout.from_dict(layout)
    if not isinstance(layout, str):
        raise ValueError(f'layout is a {type(layout).__name__}, no name, file or dict.')
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
    with reading(layout):
        content = _read_file(layout)
        if not isinstance(content, dict):
            raise ValueError(f'holds a {type(content).__name__}, and a dict is needed')
        return SkeletonLayout.from_dict(content, osp.basename(layout))


def _read_file(path: str) -> Any:
    """What a file of JSON or plain YAML holds."""
    if osp.getsize(path) > _MOST_BYTES:
        raise ValueError(f'has more than {_MOST_BYTES >> 10} KiB, and is no layout')
    with open(path, encoding='utf-8') as file:
        text = file.read()
    if path.endswith('.json'):
        return json.loads(text)
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):  # as it is read, so that it stops at once
        if isinstance(event, yaml.ScalarEvent) and event.value == '<<':  # again and again: no end
            raise ValueError('merges other parts of itself (<<). Write it out')
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise ValueError('has lists within lists within lists. Write it out')
    return yaml.safe_load(text)


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
    with reading(ann_file):
        if not isinstance(found, dict) and found not in [*ALIASES, *LAYOUTS]:
            known = f'neither one of {known_layouts()} nor a dict'
            raise ValueError(f'its layout {shown(found)} is {known}. Say another one.')
        return get_layout(found)


def stored_unit(extra: dict) -> str | None:
    """The unit of the layout that an annotation file has, None where it has no sound one."""
    try:
        layout = stored_layout(extra, '')
    except ValueError:
        return None
    return layout.unit if layout else None


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
    if not isinstance(V, int) or not 0 < V <= MOST_JOINTS:
        raise ValueError(f'layout: num_node is no number from 1 to {MOST_JOINTS}.')
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
