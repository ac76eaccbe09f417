"""An inspection as text for a terminal."""

import numpy as np

from stars_mm.preparation.inspection.findings import Finding, plain
from stars_mm.preparation.inspection.report import Group, Inspection

MAX_CASES = 5  # of one finding


def as_text(report: Inspection) -> str:
    """Writes an inspection out, in some paragraphs, without control characters."""
    rows = [['split', 'clips', 'classes', 'clips a class', 'frames: min', 'median', 'max']]
    rows += [_split_row(plain(name), group) for name, group in report.splits.items()]
    rows.append(_split_row('(whole file)', report.whole))
    lines = [*_heading(report), '', *_table(rows)]
    if report.whole.class_counts:
        lines += ['', *_table(_class_rows(report))]
    lines += ['']
    if report.pairs:
        pairs = ', '.join(f'{plain(one)} and {plain(other)}' for one, other in report.pairs)
        lines.append(f'compared for common clips: {pairs}')
    lines += _findings('fault', report.faults) + _findings('warning', report.warnings)
    verdict = 'training cannot use it as it is' if report.faults else 'sound'
    counts = _counted(len(report.faults), 'fault'), _counted(len(report.warnings), 'warning')
    return '\n'.join([*lines, f'{verdict}: {", ".join(counts)}'])


def _heading(report: Inspection) -> list[str]:
    shapes = '; '.join(
        f'V={V} joints, C={C} coordinates' + f' in {count} clips' * (len(report.shapes) > 1)
        for (V, C), count in report.shapes.items()
    )
    shapes = ', '.join([shapes or 'no clip without a fault', *report.dtypes])
    persons = ', '.join(f'{number} in {count} clips' for number, count in report.persons.items())
    return [
        f'{report.path}: {_counted(len(report.whole.members), "clip")}, '
        f'{_counted(len(report.whole.class_counts), "class", "classes")}',
        f'keypoint: {shapes}',
        f'persons: {persons or "none"}',
        f'unit: {report.units.name}, it seems ({report.units.why})',
    ]


def _split_row(name: str, group: Group) -> list[str]:
    lengths, counts = group.lengths, group.class_counts.values()
    frames = ['–'] * 3
    if len(lengths):
        frames = [lengths.min(), f'{np.median(lengths):g}', lengths.max()]
    each = '–'.join(map(str, sorted({min(counts), max(counts)}))) if counts else '–'
    return list(map(str, [name, len(group.members), len(group.class_counts), each, *frames]))


def _class_rows(report: Inspection) -> list[list[str]]:
    width = max((len(plain(name)) for name in report.class_names or ()), default=0)
    rows = [['class', 'clips', *map(plain, report.splits)]]
    for label in report.labels():
        name = plain(report.class_name(label) or '')
        counts = [group.class_counts.get(label, 0) for group in report.splits.values()]
        rows.append(
            [
                f'{label:>5} {name:<{width}}' if width else str(label),
                *map(str, [report.whole.class_counts.get(label, 0), *counts]),
            ]
        )
    return rows


def _table(rows: list[list[str]]) -> list[str]:
    """Columns as wide as they need to be; all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        '  '.join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]
        ).rstrip()
        for row in rows
    ]


def _findings(kind: str, findings: list[Finding]) -> list[str]:
    lines = []
    for found in findings:
        lines.append(f'{kind} {found.kind} ({found.count}): {found.message}')
        lines += [f'    {case}' for case in found.cases[:MAX_CASES]]
        if found.cases and found.count > MAX_CASES:
            lines.append(f'    … and {found.count - MAX_CASES} more')
    return lines


def _counted(number: int, noun: str, plural: str = '') -> str:
    return f'{number} {noun if number == 1 else plural or noun + "s"}'
