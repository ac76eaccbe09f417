"""Rows of the scaling benchmark: what many processes make of one's work."""

import statistics
from collections.abc import Callable, Sequence

import torch
from mmengine.dist import all_reduce, barrier
from torch import Tensor

from stars_mm.speed.measure import Work, seconds_of, spread

MEBI = 2**20


def together(
    works: dict[str, Work],
    repeats: int,
    device: torch.device,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, list[float]]:
    """Time pieces of work in turn, all processes beginning each at once.

    Args:
        works (dict[str, Callable]): The pieces, which have run before.
        repeats (int): How often each is timed.
        device (torch.device): Where they compute.
        progress (Callable): Is told what comes next.

    Returns:
        dict[str, list[float]]: Seconds of each run, those of the slowest process.
    """
    names = list(works)
    times = torch.zeros(repeats, len(works), dtype=torch.float64)
    for turn in range(repeats):
        for place, name in enumerate(names):
            progress(f'{name}: {turn + 1}/{repeats}')
            barrier()
            times[turn, place] = seconds_of(works[name], device).clock
    return dict(zip(names, slowest(times).t().tolist()))


def slowest(times: Tensor) -> Tensor:
    """The largest of all processes' numbers, element by element."""
    times = times.clone()
    all_reduce(times, 'max')
    return times


def make_row(work: str, processes: int, clips: int, times: dict[str, list[float]]) -> dict:
    """A row of the benchmark.

    Args:
        work (str): Name of the work.
        processes (int): How many processes did it.
        clips (int): Clips (or queries) of all processes in one run.
        times (dict[str, list[float]]): Seconds of ``step``, and of the same step with ``no_sync``
            and of ``reduce``, the gradients' all-reduce alone, where there are several processes;
            of parts of the step under other names.

    Returns:
        dict: Medians, quartiles, shares; see docs/scaling.md.
    """
    seconds = statistics.median(times['step'])
    row = dict(
        work=work,
        processes=processes,
        clips=clips,
        seconds=seconds,
        spread=spread(times['step']),
        clips_per_second=clips / seconds,
        repeats=len(times['step']),
    )
    if 'no_sync' in times:
        row.update(overlap(times['step'], times['no_sync'], times['reduce']))
    for name in sorted(set(times) - {'step', 'no_sync', 'reduce'}):
        part = statistics.median(times[name])
        row[f'{name}_seconds'] = part
        row[f'{name}_share'] = part / seconds
    return row


def overlap(
    step: Sequence[float], no_sync: Sequence[float], reduce: Sequence[float]
) -> dict[str, object]:
    """How much of the gradients' all-reduce the backward pass hides.

    Args:
        step (Sequence[float]): Seconds of the ordinary step, turn by turn.
        no_sync (Sequence[float]): Of the same step without the all-reduce.
        reduce (Sequence[float]): Of the all-reduce alone.

    Returns:
        dict: Medians and quartiles; ``exposed_seconds`` is what the all-reduce adds to a step, the
        median over the turns, which noise can make negative, and ``hidden_share`` is 1 − exposed /
        alone, held between 0 and 1.
    """
    added = [a - b for a, b in zip(step, no_sync)]
    exposed = statistics.median(added)
    alone = statistics.median(reduce)
    return dict(
        no_sync_seconds=statistics.median(no_sync),
        reduce_seconds=alone,
        reduce_spread=spread(list(reduce)),
        exposed_seconds=exposed,
        exposed_spread=spread(added),
        hidden_share=min(1.0, max(0.0, 1 - exposed / alone)),
    )


def add_efficiency(rows: list[dict]) -> None:
    """Compare each row's speed a process with that of one process.

    ``efficiency`` is None where the work was not measured on one process.
    """
    alone = {row['work']: row['clips_per_second'] for row in rows if row['processes'] == 1}
    for row in rows:
        one = alone.get(row['work'])
        row['efficiency'] = one and (row['clips_per_second'] / row['processes'] / one)


def time_table(rows: list[dict]) -> str:
    """Times and shares, in Markdown."""
    return _markdown(
        rows,
        [
            ('work', lambda r: r['work']),
            ('processes', lambda r: str(r['processes'])),
            ('seconds', lambda r: f'{r["seconds"]:.4g}'),
            ('quartiles', lambda r: _between(r['spread'])),
            ('clips/s', lambda r: f'{r["clips_per_second"]:.4g}'),
            ('efficiency', lambda r: _percent(r['efficiency'])),
            ('all-reduce alone', lambda r: _number(r.get('reduce_seconds'))),
            ('exposed', lambda r: _number(r.get('exposed_seconds'))),
            ('its quartiles', lambda r: _between(r.get('exposed_spread', []))),
            ('hidden', lambda r: _percent(r.get('hidden_share'))),
            ('search', lambda r: _percent(r.get('search_share'), 2)),
            ('loss', lambda r: _percent(r.get('loss_share'), 2)),
            ('queue', lambda r: _percent(r.get('push_share'), 2)),
        ],
    )


def traffic_table(rows: list[dict]) -> str:
    """Bytes that a process hands to collectives in a step, in Markdown."""
    return _markdown(
        [row for row in rows if 'gradient_bytes' in row],
        [
            ('work', lambda r: r['work']),
            ('processes', lambda r: str(r['processes'])),
            ('gradients', lambda r: str(r['gradient_bytes'])),
            ('buckets', lambda r: str(len(r['bucket_bytes']))),
            ('last bucket', lambda r: str((r['bucket_bytes'] or [0])[-1])),
            ('all-gather', lambda r: str(r['gather_bytes'])),
            ('other all-reduce', lambda r: str(r['reduce_bytes'])),
            ('broadcast', lambda r: str(r['broadcast_bytes'])),
        ],
    )


def _markdown(rows: list[dict], columns: list[tuple[str, Callable[[dict], str]]]) -> str:
    lines = [[name for name, _ in columns], ['---'] * len(columns)]
    lines += [[show(row) for _, show in columns] for row in rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _between(numbers: Sequence[float]) -> str:
    return ' to '.join(f'{number:.3g}' for number in numbers)


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:.4g}'


def _percent(value: float | None, digits: int = 0) -> str:
    return '' if value is None else f'{value:.{digits}%}'
