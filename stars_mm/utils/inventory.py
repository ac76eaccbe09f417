"""Says what parts a file of weights holds, and what they lack."""

import re
from typing import NamedTuple

from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from torch import Tensor

_SIZES = dict(embed_dims=8, num_heads=1, num_frames=8)


class Part(NamedTuple):
    """One part of a model.

    Attributes:
        name (str): 'encoder', 'decoder', 'NNCLR head', 'classifier' or 'other'.
        tensors (list[str]): Names of its tensors.
        text (str): Its sizes, in words.
    """

    name: str
    tensors: list[str]
    text: str


def take_inventory(state: dict[str, Tensor], source: str) -> list[Part]:
    """Sort weights, by our names, into parts, each of them complete.

    Args:
        state (dict[str, Tensor]): State dict of ours.
        source (str): The file, for messages.

    Returns:
        list[Part]: The parts that are there; every tensor is in one.

    Raises:
        ValueError: If a part lacks tensors, or there is no encoder.
    """
    names = set(state)
    encoder = {name for name in names if name.startswith('backbone.')}
    if not encoder:
        raise ValueError(f'{source}: holds no encoder; its tensors are {_some(sorted(names))}.')
    parts = []
    if 'backbone.patch_embed.projection.weight' in names or any(
        name.startswith('backbone.blocks.') for name in names
    ):
        depth = _depth(names, 'backbone.blocks.')
        _check(
            'encoder',
            names,
            'backbone.',
            dict(
                type='SkeletonTransformer',
                depth=depth,
                qkv_bias=any(name.endswith('.qkv.bias') for name in encoder),
                **_SIZES,
            ),
            source,
        )
        width, channels = (
            state['backbone.norm.weight'].shape[0],
            state['backbone.patch_embed.projection.weight'].shape[1],
        )
        text = (
            f'{depth} blocks of {width} channels, '
            f'{state["backbone.joint_embed"].shape[2]} joints of '
            f'{channels} coordinates, '
            f'{state["backbone.temporal_embed"].shape[1]} temporal tokens'
        )
    else:
        text = 'of another kind than SkeletonTransformer'
    parts.append(Part('encoder', sorted(encoder), text))
    rest = names - encoder
    if any(name.startswith('neck.blocks.') for name in rest):
        depth = _depth(names, 'neck.blocks.')
        _check(
            'decoder',
            names,
            'neck.',
            dict(
                type='MAMPDecoder',
                in_channels=8,
                depth=depth,
                out_channels=3,
                num_joints=5,
                tubelet_size=4,
                joint_patch_size=1,
                **_SIZES,
            ),
            source,
        )
        parts.append(_take('decoder', rest, 'neck.', f'{depth} blocks'))
    if any(name.startswith('head.projector.') for name in rest):
        _check(
            'NNCLR head',
            names,
            'head.',
            dict(type='NNCLRHead', in_channels=8, hidden_channels=8, queue_size=2),
            source,
        )
        parts.append(
            _take('NNCLR head', rest, 'head.', f'a queue of {len(state["head.queue.ids"])}')
        )
    if any(name.startswith('cls_head.') for name in rest):
        part = _take('classifier', rest, 'cls_head.', '')
        last = [n for n in part.tensors if n.endswith('.bias')]
        sizes = f'{state[last[-1]].shape[0]} classes' if last else ''
        parts.append(part._replace(text=sizes))
    taken = {name for part in parts for name in part.tensors}
    if names - taken:
        parts.append(Part('other', sorted(names - taken), ''))
    return parts


def _depth(names: set[str], prefix: str) -> int:
    found = {
        int(match.group(1))
        for match in (re.match(re.escape(prefix) + r'(\d+)\.', name) for name in names)
        if match
    }
    return max(found) + 1 if found else 1


def _check(part: str, names: set[str], prefix: str, cfg: dict, source: str) -> None:
    """Compare the names with those of a small model of the same kind."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        wanted = {prefix + name for name in MODELS.build(cfg).state_dict()}
    missing = sorted(wanted - names)
    if missing:
        raise ValueError(
            f'{source}: the {part} lacks {len(missing)} of {len(wanted)} '
            f'tensors: {_some(missing)}. The file is not whole, or of another '
            'model.'
        )


def _take(part: str, names: set[str], prefix: str, text: str) -> Part:
    return Part(part, sorted(n for n in names if n.startswith(prefix)), text)


def _some(names: list[str]) -> str:
    shown = ', '.join(f'"{name}"' for name in names[:4])
    return shown + (', …' if len(names) > 4 else '')
