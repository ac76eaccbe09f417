"""Rows of the benchmark: every mode of a work against its plain schedule."""

import platform
import statistics
from collections.abc import Callable
from pathlib import Path

import torch

from stars_mm.speed.measure import alternate, look_at, matmul_peak, spread
from stars_mm.speed.profile import bandwidth, count_bytes, where_time_goes
from stars_mm.speed.works import WORKS, Sizes, Work


def run_work(
    name: str,
    sizes: Sizes,
    device: torch.device,
    repeats: int,
    progress: Callable[[str], None] = lambda text: None,
    profiled: bool = False,
) -> list[dict]:
    """Measure a work in all its modes.

    Args:
        name (str): One of :data:`WORKS`.
        sizes (Sizes): Of models and data.
        device (torch.device): Where.
        repeats (int): How often each mode is timed.
        progress (Callable): Is told what comes next.
        profiled (bool): Whether each mode is run once more to see where its time goes.

    Returns:
        list[dict]: A row for each mode.
    """
    torch.manual_seed(0)
    work = WORKS[name](sizes, device)
    flops, memory = {}, {}
    for mode, run in work.runs.items():
        progress(f'{name} {mode}: FLOPs and memory')
        flops[mode], memory[mode] = look_at(run, device)
        if device.type == 'cuda':
            progress(f'{name} {mode}: compilation')
            run()
    times = alternate(work.runs, repeats, device, lambda text: progress(f'{name} {text}'))
    clock = {mode: [t.clock for t in found] for mode, found in times.items()}
    processor = {
        mode: statistics.median(t.processor for t in found) for mode, found in times.items()
    }
    plain = statistics.median(clock['plain'])
    rows = []
    for mode in work.runs:
        if mode == 'plain':
            continue
        seconds = statistics.median(clock[mode])
        rows.append(
            dict(
                work=name,
                mode=mode,
                seconds=seconds,
                plain_seconds=plain,
                ratio=plain / seconds,
                clips_per_second=work.clips / seconds,
                spread=spread(clock[mode]),
                plain_spread=spread(clock['plain']),
                processor_seconds=processor[mode],
                plain_processor_seconds=processor['plain'],
                processor_ratio=processor['plain'] / processor[mode],
                flops=flops[mode],
                plain_flops=flops['plain'],
                flops_per_second=flops[mode] / seconds,
                peak_bytes=memory[mode],
                plain_peak_bytes=memory['plain'],
                hours=_hours(work, seconds, sizes),
                plain_hours=_hours(work, plain, sizes),
                clips=work.clips,
                repeats=repeats,
            )
        )
        if profiled:
            progress(f'{name} {mode}: profile')
            rows[-1].update(
                profile=where_time_goes(work.runs[mode], device),
                matmul_bytes=count_bytes(work.runs[mode]),
            )
    return rows


def add_peaks(rows: list[dict], device: torch.device) -> None:
    """Compare the rows' speed with that of a large matrix product, of the numbers in which the
    mode computes; profiled ones also with the floors that FLOPs and bytes set."""
    dtypes = {torch.float32}
    if device.type == 'cuda':
        dtypes.add(torch.bfloat16)
    peaks = {dtype: matmul_peak(device, dtype) for dtype in dtypes}
    for row in rows:
        half = device.type == 'cuda' and row['mode'] != 'parity'
        dtype = torch.bfloat16 if half else torch.float32
        row['matmul_peak'] = peaks[dtype]
        row['peak_share'] = row['flops_per_second'] / peaks[dtype]
    profiled = [row for row in rows if 'profile' in row]
    if profiled:
        rate = bandwidth(device)
        for row in profiled:
            row['bandwidth'] = rate
            row['flop_floor_seconds'] = row['flops'] / row['matmul_peak']
            row['byte_floor_seconds'] = row['matmul_bytes'] / rate


def machine(device: torch.device) -> dict[str, object]:
    """What the numbers were measured on."""
    name, cpuinfo = platform.machine(), Path('/proc/cpuinfo')
    if device.type == 'cuda':
        name = torch.cuda.get_device_name(device)
    elif cpuinfo.exists() and 'model name' in cpuinfo.read_text():
        name = cpuinfo.read_text().split('model name')[1].split('\n')[0]
        name = name.strip('\t :')
    return dict(device=name, threads=torch.get_num_threads(), torch=torch.__version__)


def table(rows: list[dict]) -> str:
    """The rows as text."""
    columns: list[tuple[str, Callable[[dict], str]]] = [
        ('work', lambda r: r['work']),
        ('mode', lambda r: r['mode']),
        ('seconds', lambda r: f'{r["seconds"]:.4g}'),
        ('plain', lambda r: f'{r["plain_seconds"]:.4g}'),
        ('ratio', lambda r: f'{r["ratio"]:.2f}'),
        ('by processor', lambda r: f'{r["processor_ratio"]:.2f}'),
        ('clips/s', lambda r: f'{r["clips_per_second"]:.4g}'),
        ('GFLOP', lambda r: f'{r["flops"] / 1e9:.4g}'),
        ('of plain', lambda r: _share(r['flops'], r['plain_flops'])),
        ('GFLOP/s', lambda r: f'{r["flops_per_second"] / 1e9:.4g}'),
        ('of peak', lambda r: f'{r["peak_share"]:.0%}'),
        ('MiB', lambda r: _mebibytes(r['peak_bytes'])),
        ('plain MiB', lambda r: _mebibytes(r['plain_peak_bytes'])),
        ('hours', lambda r: f'{r["hours"]:.3g}' if r['hours'] else ''),
    ]
    cells = [[name for name, _ in columns]]
    cells += [[show(row) for _, show in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return '\n'.join(
        '  '.join(cell.rjust(width) for cell, width in zip(line, widths)) for line in cells
    )


def _hours(work: Work, seconds: float, sizes: Sizes) -> float | None:
    if not work.recipe_clips or sizes.num_frames != Sizes.num_frames:
        return None
    return work.recipe_clips / work.clips * seconds / 3600


def _share(part: int, whole: int) -> str:
    return f'{part / whole:.0%}' if whole else ''


def _mebibytes(size) -> str:
    return '' if size is None else f'{size / 2**20:.0f}'
