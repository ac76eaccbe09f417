"""Bytes that a training step hands to collectives, counted while it runs."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from mmengine.optim import OptimWrapper
from torch import distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

_COUNTED = ('all_gather', 'all_reduce', 'broadcast')


def gradient_bytes(model: nn.Module) -> int:
    """Bytes of all gradients of a model."""
    return sum(
        param.numel() * param.element_size() for param in model.parameters() if param.requires_grad
    )


@contextmanager
def counted_collectives() -> Iterator[dict[str, int]]:
    """Counts the bytes of the tensors that this process hands to collectives.

    DDP's own transfers do not pass here, unless a hook in Python does them.

    Yields:
        dict[str, int]: Bytes for each of ``all_gather`` (what this process
        contributes), ``all_reduce`` and ``broadcast``.
    """
    sent = dict.fromkeys(_COUNTED, 0)

    def counting(name: str) -> Callable:
        original = getattr(dist, name)

        def collective(first, *args, **kwargs):
            tensor = args[0] if name == 'all_gather' else first
            sent[name] += tensor.numel() * tensor.element_size()
            return original(first, *args, **kwargs)

        return collective

    with mock.patch.multiple(dist, **{name: counting(name) for name in _COUNTED}):
        yield sent


def look_at_traffic(
    model: nn.Module, wrap: Callable[[nn.Module], nn.Module], data: dict
) -> dict[str, object]:
    """Run steps of a copy of a model, and count what goes over the wire.

    Args:
        model (nn.Module): The bare model.
        wrap (Callable): Wraps it for distribution, or does nothing where there is but one process.
        data (dict): A batch as ``train_step`` takes it.

    Returns:
        dict: ``gradient_bytes``; ``bucket_bytes``, the sizes of the buckets
        in the order in which DDP sends them; ``gather_bytes``,
        ``reduce_bytes`` and ``broadcast_bytes``, which are not gradients'.
    """
    model = copy.deepcopy(model)
    wrapped = wrap(model)
    optimizer = OptimWrapper(
        torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.0)
    )
    buckets: list[int] = []
    if wrapped is not model:

        def note(state: None, bucket: dist.GradBucket):
            tensor = bucket.buffer()
            buckets.append(tensor.numel() * tensor.element_size())
            return allreduce_hook(state, bucket)

        wrapped.register_comm_hook(None, note)
        wrapped.train_step(data, optimizer)  # then DDP orders its buckets
        wrapped.train_step(data, optimizer)
        buckets.clear()
    with counted_collectives() as sent:
        wrapped.train_step(data, optimizer)
    return dict(
        gradient_bytes=gradient_bytes(model),
        bucket_bytes=buckets,
        gather_bytes=sent['all_gather'],
        broadcast_bytes=sent['broadcast'],
        reduce_bytes=sent['all_reduce'] - sum(buckets),
    )
