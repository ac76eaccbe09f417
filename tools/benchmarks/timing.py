"""Seconds, floating-point operations and memory of a call, and the machine it ran on."""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils import benchmark
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from stars_mm.utils import markdown
from stars_mm.utils.environment import device_name

Call = Callable[[], object]


def _attention(query, key, value, *args, **kwargs) -> int:
    return sdpa_flop_count(query, key, value)


def _attention_backward(grad, query, key, value, *args, **kwargs) -> int:
    return sdpa_backward_flop_count(grad, query, key, value)


#: What torch 2.13 does not count: fused attention on the CPU.
CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


class Seconds(NamedTuple):
    """How long a call took: by the clock, and of the processor, which does not count what other
    programs did meanwhile."""

    clock: float
    processor: float


def seconds_of(call: Call) -> Seconds:
    """Time a call once, on a GPU until it is done."""
    clock, processor = benchmark.timer(), time.process_time()
    call()
    return Seconds(benchmark.timer() - clock, time.process_time() - processor)


def alternate(
    calls: dict[str, Call], repeats: int, progress: Callable[[str], None] = lambda text: None
) -> dict[str, list[Seconds]]:
    """Time calls in turn, so that what else the machine does falls on all of them. They were made
    before: what is done once, such as allocating or compiling, is not to be timed. ``progress`` is
    told what comes next."""
    times: dict[str, list[Seconds]] = {name: [] for name in calls}
    for turn in range(repeats):
        for name, call in calls.items():
            progress(f'{name}: {turn + 1}/{repeats}')
            times[name].append(seconds_of(call))
    return times


def quartiles(numbers: list[float]) -> list[float]:
    """First and third quartile."""
    return np.quantile(numbers, [0.25, 0.75]).tolist()


def flops_and_memory(call: Call, device: torch.device) -> tuple[int, int | None]:
    """Make a call once, uncompiled: floating-point operations of its matrix products, a
    multiplication and an addition counting as two; and the bytes that it needs at most beyond what
    was in use, None where the system does not tell."""
    counter = FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION)
    with torch.compiler.set_stance('force_eager'):  # else nothing is counted
        before = _start_watching(device)
        with counter:
            call()
        peak = _memory(device, 'VmHWM')
    return counter.get_total_flops(), None if before is None or peak is None else peak - before


def _start_watching(device: torch.device) -> int | None:
    """Let the highest memory in use be that of now; gives it."""
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
    else:
        try:
            ctypes.CDLL(None).malloc_trim(0)  # what was freed would be used again unseen
            Path('/proc/self/clear_refs').write_text('5')
        except (AttributeError, OSError):  # not Linux with glibc
            return None
    return _memory(device, 'VmRSS')


def _memory(device: torch.device, key: str) -> int | None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        peak = key == 'VmHWM'
        ask = torch.cuda.max_memory_allocated if peak else torch.cuda.memory_allocated
        return ask(device)
    status = Path('/proc/self/status')
    if not status.exists():
        return None
    return 1024 * int(status.read_text().split(f'{key}:')[1].split()[0])


def matmul_peak(device: torch.device, dtype: torch.dtype, size: int | None = None) -> float:
    """Floating-point operations a second in a product of square matrices of ``size`` rows, by
    default 8192 on a GPU, else 2048."""
    size = size or (8192 if device.type == 'cuda' else 2048)
    a = torch.randn(size, size, device=device).to(dtype)
    timer = benchmark.Timer('a @ a', globals=dict(a=a), num_threads=torch.get_num_threads())
    return 2 * size**3 / timer.blocked_autorange().median


def profile_table(call: Call, device: torch.device, rows: int = 12) -> str:
    """torch's table of where the time of a call goes, the longest operations first."""
    activities, key = [ProfilerActivity.CPU], 'self_cpu_time_total'
    if device.type == 'cuda':
        activities, key = [*activities, ProfilerActivity.CUDA], 'self_device_time_total'
    with profile(activities=activities) as profiler:
        call()
    return profiler.key_averages().table(sort_by=key, row_limit=rows, max_name_column_width=40)


def markdown_table(rows: list[dict], columns: dict[str, str]) -> str:
    """A table in Markdown, of columns by their heads and the formats of their cells. A cell is
    empty where a row lacks its number, or has None for it."""

    def cell(text: str, row: dict) -> str:
        try:
            return text.format(**row)
        except (KeyError, TypeError):
            return ''

    cells = [[cell(text, row) for text in columns.values()] for row in rows]
    return markdown.markdown_table([[*columns], *cells], len(columns))


def machine(device: torch.device) -> dict[str, object]:
    """What the numbers were measured on."""
    name = device_name(device.type)
    return dict(device=name, threads=torch.get_num_threads(), torch=torch.__version__)
