"""Figures of the scaling benchmark: medians, shares and tables."""

import statistics

from timing import markdown_table, quartiles


def make_row(work: str, processes: int, clips: int, times: dict[str, list[float]]) -> dict:
    """A row of the benchmark: medians, quartiles, shares; see docs/scaling.md.

    ``clips`` are those (or the queries) of all processes in one run. The times are seconds of
    ``step``, and of the same step with ``no_sync`` and of ``reduce``, the gradients' all-reduce
    alone, where there are several processes; of parts of the step under other names.
    """
    seconds, turns = statistics.median(times['step']), len(times['step'])
    row = dict(work=work, processes=processes, clips=clips, seconds=seconds, repeats=turns)
    row.update(spread=quartiles(times['step']), clips_per_second=clips / seconds)
    if 'no_sync' in times:
        added = [a - b for a, b in zip(times['step'], times['no_sync'])]
        exposed, alone = statistics.median(added), statistics.median(times['reduce'])
        row.update(
            no_sync_seconds=statistics.median(times['no_sync']),
            reduce_seconds=alone,
            exposed_seconds=exposed,
            exposed_spread=quartiles(added),
            hidden_share=min(1.0, max(0.0, 1 - exposed / alone)),
        )
    for name in sorted(set(times) - {'step', 'no_sync', 'reduce'}):
        part = statistics.median(times[name])
        row.update({f'{name}_seconds': part, f'{name}_share': part / seconds})
    return row


def add_efficiency(rows: list[dict]) -> None:
    """Compare each row's speed a process with that of one process; ``efficiency`` is None where
    that was not measured."""
    alone = {row['work']: row['clips_per_second'] for row in rows if row['processes'] == 1}
    for row in rows:
        one = alone.get(row['work'])
        row['efficiency'] = one and row['clips_per_second'] / row['processes'] / one


def time_table(rows: list[dict]) -> str:
    """Times and shares, in Markdown."""
    columns = {
        'work': '{work}',
        'processes': '{processes}',
        'seconds': '{seconds:.4g}',
        'quartiles': '{spread[0]:.3g} to {spread[1]:.3g}',
        'clips/s': '{clips_per_second:.4g}',
        'efficiency': '{efficiency:.0%}',
        'all-reduce alone': '{reduce_seconds:.4g}',
        'exposed': '{exposed_seconds:.4g}',
        'its quartiles': '{exposed_spread[0]:.3g} to {exposed_spread[1]:.3g}',
        'hidden': '{hidden_share:.0%}',
        'search': '{search_share:.2%}',
        'loss': '{loss_share:.2%}',
        'queue': '{push_share:.2%}',
    }
    return markdown_table(rows, columns)


def bytes_table(rows: list[dict]) -> str:
    """Bytes that a process hands to collectives in a step, in Markdown."""
    columns = {
        'work': '{work}',
        'processes': '{processes}',
        'gradients': '{gradient_bytes}',
        'buckets': '{bucket_bytes}',
        'all-gather': '{all_gather_bytes}',
        'other all-reduce': '{all_reduce_bytes}',
        'broadcast': '{broadcast_bytes}',
    }
    return markdown_table([row for row in rows if 'gradient_bytes' in row], columns)
