"""Times, floating-point operations and memory of a piece of work."""

import ctypes
import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from stars_mm.models.utils.linear import linear

Work = Callable[[], object]
SAMPLE_SECONDS = 0.002  # between two looks at the memory of the process


def _attention(query, key, value, *args, **kwargs) -> int:
    return sdpa_flop_count(query, key, value)


def _attention_backward(grad, query, key, value, *args, **kwargs) -> int:
    return sdpa_backward_flop_count(grad, query, key, value)


#: What torch 2.13 does not count: fused attention on the CPU.
MORE_FORMULAS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def count_flops(work: Work) -> int:
    """Floating-point operations of the matrix products in a piece of work,
    a multiplication and an addition counting as two."""
    with FlopCounterMode(display=False, custom_mapping=MORE_FORMULAS) as counter:
        work()
    return counter.get_total_flops()


def look_at(work: Work, device: torch.device) -> tuple[int, int | None]:
    """Run a piece of work once, uncompiled.

    Args:
        work (Callable): The piece of work.
        device (torch.device): Where it computes.

    Returns:
        tuple[int, int or None]: Its floating-point operations, and the bytes that it needs at most.
    """
    flops = []
    with torch.compiler.set_stance('force_eager'):  # else nothing is counted
        size = peak_memory(lambda: flops.append(count_flops(work)), device)
    return flops[0], size


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


class Seconds(NamedTuple):
    """How long a piece of work took: by the clock, and of the processor,
    which does not count what other programs did meanwhile."""

    clock: float
    processor: float


def seconds_of(work: Work, device: torch.device) -> Seconds:
    """Time a piece of work once."""
    synchronize(device)
    clock, processor = time.perf_counter(), time.process_time()
    work()
    synchronize(device)
    return Seconds(time.perf_counter() - clock, time.process_time() - processor)


def alternate(
    works: dict[str, Work],
    repeats: int,
    device: torch.device,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, list[Seconds]]:
    """Time pieces of work in turn, so that what else the machine does falls on all of them.

    Args:
        works (dict[str, Callable]): The pieces, which have run before: what
            is done once, such as allocating or compiling, is not to be timed.
        repeats (int): How often each is timed.
        device (torch.device): Where they compute.
        progress (Callable): Is told what comes next.

    Returns:
        dict[str, list[Seconds]]: Of each run.
    """
    times: dict[str, list[Seconds]] = {name: [] for name in works}
    for turn in range(repeats):
        for name, work in works.items():
            progress(f'{name}: {turn + 1}/{repeats}')
            times[name].append(seconds_of(work, device))
    return times


def spread(times: list[float]) -> list[float]:
    """First and third quartile; the extremes of fewer than four numbers."""
    if len(times) < 4:
        return [min(times), max(times)]
    quartiles = statistics.quantiles(times, n=4, method='inclusive')
    return [quartiles[0], quartiles[2]]


def matmul_peak(
    device: torch.device, dtype: torch.dtype, size: int | None = None, repeats: int = 5
) -> float:
    """Floating-point operations a second in the best of some square matrix products.

    Args:
        device (torch.device): Where.
        dtype (torch.dtype): Of which numbers.
        size (int, optional): Rows of the matrices; 8192 on a GPU, else 2048.
        repeats (int): How many products are timed.

    Returns:
        float: FLOP/s.
    """
    size = size or (8192 if device.type == 'cuda' else 2048)
    a = torch.randn(size, size, device=device).to(dtype)
    products = [lambda: a @ a, lambda: linear(a, a)]  # two libraries
    for product in products:
        product()
    return 2 * size**3 / min(seconds_of(product, device).clock for product in products * repeats)


def peak_memory(work: Work, device: torch.device) -> int | None:
    """Bytes that a piece of work needs at most beyond what was in use.

    Args:
        work (Callable): The piece of work.
        device (torch.device): Where it computes. Without a GPU the memory of
            the process is looked at every 2 ms.

    Returns:
        int or None: Bytes; None where they cannot be told.
    """
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if not Path('/proc/self/statm').exists():
        return None
    _give_back()
    before = _resident()
    with _watched_memory() as seen:
        work()
    return max(seen) - before


def _give_back() -> None:
    """Give the system what was freed: else it would be used again unseen."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):  # no glibc
        pass


@contextmanager
def _watched_memory() -> Iterator[list[int]]:
    seen, stop = [_resident()], threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            seen.append(_resident())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _resident() -> int:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * 4096
