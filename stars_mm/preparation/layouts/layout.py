"""The description of a skeleton."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from stars_mm.utils.input_error import shown

MOST_JOINTS = 1000
_LONGEST = 100  # characters of a joint's name
#: Metres, centimetres, millimetres, pixels, or anything else.
UNITS = ('m', 'cm', 'mm', 'px', 'other')


def _flat(some: Any, where: str) -> list:
    """What is in a list, or in the lists in it, which may be one list again and again."""
    if not isinstance(some, (list, tuple)):
        raise ValueError(f'{where}: {shown(some)} is no list.')
    parts = [part if isinstance(part, (list, tuple)) else [part] for part in some]
    if len(parts) > MOST_JOINTS or any(len(part) > MOST_JOINTS for part in parts):
        raise ValueError(f'{where}: has more than {MOST_JOINTS} joints.')
    return [one for part in parts for one in part]


@dataclass(frozen=True)
class SkeletonLayout:
    """Joints of a skeleton, their bones and their sides.

    Joints are numbered from 0 in the order of a clip's V axis. To make one of
    joint names, use :meth:`from_dict`.

    Args:
        name (str): Name of the layout.
        joints (tuple[str, ...]): Names of the V joints.
        parents (tuple[int, ...]): The other end of each one's bone; the root is its own.
        center (int): The joint that ``CenterSkeleton`` puts at the origin.
        pairs (tuple[tuple[int, int], ...]): Each left joint and its counterpart on the right.
        align (tuple[int, int], optional): Two joints, left and right, whose line ``CenterSkeleton``
            may turn along x, such as the shoulders.
        unit (str): Of the coordinates as usually recorded: 'm', 'cm', 'mm', 'px' or 'other'.

    Raises:
        ValueError: Names the layout, the key and the value.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    center: int
    pairs: tuple[tuple[int, int], ...] = ()
    align: tuple[int, int] | None = None
    unit: str = 'm'

    def __post_init__(self) -> None:
        V = self.num_joints
        if V > MOST_JOINTS:
            self._refuse(f'has {V} joints; there may be {MOST_JOINTS}.')
        if V == 0 or len(set(self.joints)) < V:
            self._refuse(f'joints={self.joints} must be names, each of them once.')
        used = dict(parents=self.parents, center=[self.center], align=self.align or ())
        used['pairs'] = [joint for pair in self.pairs for joint in pair]
        for key, numbers in used.items():
            for joint in numbers:
                if not 0 <= joint < V:
                    self._refuse(f'{key} names joint {joint}; its {V} joints are 0 to {V - 1}.')
        self._check_tree()
        if len(set(used['pairs'])) < len(used['pairs']):
            self._refuse(f'pairs={self.pairs} names a joint twice. Each has one counterpart.')
        if self.align is not None and len(set(self.align)) != 2:
            self._refuse(f'align={self.align} must be two joints, left and right.')
        if self.unit not in UNITS:
            self._refuse(f'unit={self.unit!r} must be one of {UNITS}.')

    def _refuse(self, why: str) -> NoReturn:
        raise ValueError(f'layout {self.name!r}: {why}')

    def _check_tree(self) -> None:
        V = self.num_joints
        if len(self.parents) != V:
            self._refuse(f'{len(self.parents)} parents for {V} joints. Give each joint one.')
        roots = [name for j, name in enumerate(self.joints) if self.parents[j] == j]
        if len(roots) != 1:
            self._refuse(f'{len(roots)} joints are their own parent, {roots}. One must be.')
        for joint, name in enumerate(self.joints):
            for _ in range(V):
                joint = self.parents[joint]
            if joint != self.root:
                self._refuse(f'from {name!r} the parents run in a circle, not to {roots[0]!r}.')

    @classmethod
    def from_dict(cls, content: dict, source: str = '') -> 'SkeletonLayout':
        """Makes a layout whose joints may be given by name or number.

        Args:
            content (dict): ``joints`` (names), ``parents`` (one a joint, the root's being null or
                itself), ``center``, and optionally ``name``, ``pairs``, ``align`` and ``unit``.
            source (str): Where it comes from, for messages, and the name of a layout without one.
        """
        if any(not isinstance(content.get(key) or '', str) for key in ('name', 'unit')):
            raise ValueError(f'layout {source!r}: name or unit is no text.')
        where = f'layout {content.get("name") or source!r}'
        needed, known = {'joints', 'parents', 'center'}, cls.__annotations__
        if not needed <= set(content) or not set(content) <= set(known):
            keys = f'{sorted(needed)} are needed, and {sorted(set(known) - needed)} may be given'
            raise ValueError(f'{where}: has the keys {sorted(content)}; {keys}.')
        lists = [
            content[key] for key in ('joints', 'parents', 'pairs', 'align') if content.get(key)
        ]
        flat = [part for some in lists for part in _flat(some, where)]
        if any(part is not None and type(part) not in (str, int) for part in flat):
            raise ValueError(f'{where}: joints are not all names or numbers.')
        if long := [part for part in flat if isinstance(part, str) and len(part) > _LONGEST]:
            raise ValueError(f'{where}: the name {shown(long[0])} is longer than {_LONGEST}.')
        joints = [str(joint) for joint in content['joints']]

        def numbers(some: Sequence[int | str], key: str) -> tuple[Any, ...]:
            for joint in some:
                if isinstance(joint, str) and joint not in joints:
                    raise ValueError(f'{where}: {key} names {joint!r}, which is none of {joints}.')
            return tuple(joints.index(j) if isinstance(j, str) else int(j) for j in some)

        parents = [n if parent is None else parent for n, parent in enumerate(content['parents'])]
        align = content.get('align')
        pairs = [numbers(pair, 'pairs') for pair in content.get('pairs', ())]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError(f'{where}: pairs={content["pairs"]} must be pairs, left and right.')
        return cls(
            name=content.get('name') or source,
            joints=tuple(joints),
            parents=numbers(parents, 'parents'),
            center=numbers([content['center']], 'center')[0],
            pairs=tuple(pairs),
            align=None if align is None else numbers(align, 'align'),
            unit=content.get('unit', 'm'),
        )

    def __deepcopy__(self, memo: dict) -> 'SkeletonLayout':
        return self  # nothing of it changes, and clips that carry it are copied often

    def to_dict(self) -> dict:
        """The layout as plain types, which :meth:`from_dict` takes back."""
        return json.loads(json.dumps(asdict(self)))

    @property
    def num_joints(self) -> int:
        """int: V."""
        return len(self.joints)

    @property
    def root(self) -> int:
        """int: The joint that is its own parent."""
        return next(j for j, parent in enumerate(self.parents) if j == parent)

    @property
    def bones(self) -> list[tuple[int, int]]:
        """list[tuple[int, int]]: (joint, parent) of every joint but the root."""
        return [(joint, parent) for joint, parent in enumerate(self.parents) if joint != parent]

    @property
    def left(self) -> tuple[int, ...]:
        """tuple[int, ...]: Joints of the left side."""
        return tuple(left for left, _ in self.pairs)

    @property
    def right(self) -> tuple[int, ...]:
        """tuple[int, ...]: Their counterparts, in the same order."""
        return tuple(right for _, right in self.pairs)

    @property
    def graph(self) -> dict:
        """dict: The ``layout`` of mmaction2's graph networks."""
        return dict(num_node=self.num_joints, inward=self.bones, center=self.root)
