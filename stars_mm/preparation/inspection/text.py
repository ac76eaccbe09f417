"""An inspection as text for a terminal."""

import numpy as np

from stars_mm.preparation.inspection.report import Finding, Group, Inspection, plain

MAX_CASES = 5  # of one finding


def as_text(report: Inspection) -> str:
    """Writes an inspection out, in some paragraphs, without control characters."""
    shapes = [
        f'V={V} joints, C={C} coordinates' + f' in {count} clips' * (len(report.shapes) > 1)
        for (V, C), count in report.shapes.items()
    ]
    shapes = ', '.join(['; '.join(shapes) or 'no clip without a fault', *report.dtypes])
    persons = ', '.join(f'{number} in {count} clips' for number, count in report.persons.items())
    clips, classes = len(report.whole.members), len(report.whole.class_counts)
    rows = [['split', 'clips', 'classes', 'clips a class', 'frames: min', 'median', 'max']]
    rows += [_split_row(plain(name), group) for name, group in report.splits.items()]
    lines = [
        f'{report.path}: {_counted(clips, "clip")}, {_counted(classes, "class", "classes")}',
        f'keypoint: {shapes}',
        f'persons: {persons or "none"}',
        f'unit: {report.units.name}, it seems ({report.units.why})',
        '',
        *_table([*rows, _split_row('(whole file)', report.whole)]),
        '',
    ]
    if report.whole.class_counts:
        rows = [['class', 'clips', *map(plain, report.splits)]]
        width = max((len(plain(name)) for name in report.class_names or ()), default=0)
        for label, name, counts in report.class_table():
            first = f'{label:>5} {plain(name or ""):<{width}}' if width else str(label)
            rows.append([first, *map(str, counts)])
        lines += [*_table(rows), '']
    if report.pairs:
        pairs = ', '.join(f'{plain(one)} and {plain(other)}' for one, other in report.pairs)
        lines.append(f'compared for common clips: {pairs}')
    lines += finding_lines('fault', report.faults) + finding_lines('warning', report.warnings)
    verdict = 'training cannot use it as it is' if report.faults else 'sound'
    counts = _counted(len(report.faults), 'fault'), _counted(len(report.warnings), 'warning')
    return '\n'.join([*lines, f'{verdict}: {", ".join(counts)}'])


def _split_row(name: str, group: Group) -> list[str]:
    lengths, counts = group.lengths, group.class_counts.values()
    frames = ['–'] * 3
    if len(lengths):
        frames = [lengths.min(), f'{np.median(lengths):g}', lengths.max()]
    each = '–'.join(map(str, sorted({min(counts), max(counts)}))) if counts else '–'
    return list(map(str, [name, len(group.members), len(group.class_counts), each, *frames]))


def _table(rows: list[list[str]]) -> list[str]:
    """Columns as wide as they need to be; all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:])]
        lines.append('  '.join([first.ljust(widths[0]), *cells]).rstrip())
    return lines


def finding_lines(kind: str, findings: list[Finding]) -> list[str]:
    """Findings of one kind, such as 'warning', each with its first cases."""
    lines = []
    for found in findings:
        lines.append(f'{kind} {found.kind} ({found.count}): {found.message}')
        lines += [f'    {case}' for case in found.cases[:MAX_CASES]]
        if found.cases and found.count > MAX_CASES:
            lines.append(f'    … and {found.count - MAX_CASES} more')
    return lines


def _counted(number: int, noun: str, plural: str = '') -> str:
    return f'{number} {noun if number == 1 else plural or noun + "s"}'
