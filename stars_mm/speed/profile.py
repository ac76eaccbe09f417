"""Where the time of a piece of work goes, and what it could not be less than."""

import re

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from stars_mm.speed.measure import MORE_FORMULAS, Work, seconds_of

#: Kinds of operations by their names, the first that fits.
KINDS: tuple[tuple[str, str], ...] = (
    ('attention', r'attention|flash|fmha'),
    ('optimizer', r'_foreach|_fused_adam|multi_tensor|optimizer'),
    # of the nodes of the backward pass only their own work is left
    ('differentiating', r'backward\d|accumulategrad|detach'),
    (
        'matrix products',
        r'::(add|b|badd)?mm\b|::baddbmm|::addbmm|linear|conv'
        r'|gemm|cutlass|mkldnn',
    ),
    ('compiled', r'triton'),
    ('normalisation', r'(layer|batch)_?norm|::norm|linalg_vector_norm'),
    ('activation', r'gelu|relu|sigmoid|softmax'),
    (
        'moving',
        r'copy|clone|contiguous|::cat|gather|index|scatter|select|where'
        r'|fill|zero|pad|stack|::to\b|memcpy|memset|repeat|roll',
    ),
    ('sorting and drawing', r'sort|topk|rand|uniform|multinomial|bernoulli'),
    (
        'allocating and viewing',
        r'::(empty\w*|_?reshape\w*|view|as_strided'
        r'|transpose|permute|slice|narrow|expand|squeeze|unsqueeze|split\w*|t'
        r'|chunk|unbind|unflatten|flatten|resize_|alias|arange|item|_local_scalar_dense'
        r'|lift_fresh|result_type|_unsafe_view|new_\w+|ones_like)\b',
    ),
    ('sums', r'::(sum|mean|var|std|amax|amin|max|min|any|all)\b|reduce'),
    (
        'arithmetic',
        r'::(add|sub|mul|div|neg|pow|sqrt|rsqrt|exp|log|abs|clamp'
        r'|lerp|addcmul|addcdiv|rsub|eq|ne|ge|le|gt|lt)_?\b|elementwise',
    ),
)


def kind_of(operation: str) -> str:
    """Kind of an operation by its name, such as 'aten::addmm'."""
    for kind, pattern in KINDS:
        if re.search(pattern, operation.lower()):
            return kind
    return 'other'


def where_time_goes(work: Work, device: torch.device) -> dict[str, float]:
    """Seconds by kind of operation, in one run.

    Args:
        work (Callable): The piece of work, which has run before.
        device (torch.device): Where it computes; on a GPU, its seconds.

    Returns:
        dict[str, float]: Kind → seconds, the longest first. ``idle`` is time
        in which no operation ran: Python, and a GPU that waits for it.
    """
    on_gpu = device.type == 'cuda'
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    with profile(activities=activities) as profiler:
        seconds = seconds_of(work, device).clock
    found: dict[str, float] = {}
    for event in profiler.key_averages():
        if on_gpu and (event.device_type != DeviceType.CUDA or event.is_user_annotation):
            continue  # kernels alone
        spent = (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e6
        kind = kind_of(event.key)
        found[kind] = found.get(kind, 0.0) + spent
    found['idle'] = max(seconds - sum(found.values()), 0.0)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


class _Bytes(TorchDispatchMode):
    """Adds up the operands and results of matrix products and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if packet in flop_registry or packet in MORE_FORMULAS:
            self.total += sum(
                leaf.numel() * leaf.element_size()
                for leaf in tree_leaves((args, kwargs, out))
                if isinstance(leaf, torch.Tensor)
            )
        return out


def count_bytes(work: Work) -> int:
    """Bytes that the matrix products and the attention of a piece of work
    read and write, if all that stands between them is fused with them."""
    with torch.compiler.set_stance('force_eager'), _Bytes() as counter:
        work()
    return counter.total


def bandwidth(device: torch.device, repeats: int = 5) -> float:
    """Bytes a second of a copy in memory, reading and writing counted."""
    size = 2**30 if device.type == 'cuda' else 2**27
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    copies = [lambda: target.copy_(source)] * repeats
    copies[0]()
    return 2 * size / min(seconds_of(copy, device).clock for copy in copies)


def describe(row: dict) -> str:
    """Text of a row's profile.

    Args:
        row (dict): With ``profile``, seconds by kind, and the floors.
    """
    total, seconds = sum(row['profile'].values()), row['seconds']
    lines = [f'{row["work"]} {row["mode"]}: {seconds:.4g} s, of which']
    lines += [
        f'  {spent / total:6.1%} {kind}'
        for kind, spent in row['profile'].items()
        if spent > 0.001 * total
    ]
    for floor, why in (
        ('flop_floor_seconds', 'FLOPs of matrix products at their peak'),
        ('byte_floor_seconds', 'their bytes at the rate of a copy'),
    ):
        lines.append(f'  not less than {row[floor]:.4g} s ({row[floor] / seconds:.0%}): {why}')
    return '\n'.join(lines)
