"""An inspection as text for a terminal."""

import numpy as np

from stars_mm.preparation.inspection.findings import Finding, plain
from stars_mm.preparation.inspection.inspect_file import Group, Inspection

MAX_CASES = 5  # of one finding


def _table(rows: list[list[str]]) -> list[str]:
    """Columns as wide as they need to be; all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        '  '.join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        ).rstrip()
        for row in rows
    ]


def _split_row(name: str, group: Group) -> list[str]:
    lengths = group.lengths
    frames = (
        [lengths.min(), f'{np.median(lengths):g}', lengths.max()] if len(lengths) else ['–'] * 3
    )
    counts = group.class_counts.values()
    each = '–'.join(map(str, sorted({min(counts), max(counts)}))) if counts else '–'
    return list(map(str, [name, len(group.members), len(group.class_counts), each, *frames]))


def _classes(report: Inspection) -> list[str]:
    rows = [['class', '', 'clips', *map(plain, report.splits)]]
    for label in report.labels():
        rows.append(
            [
                str(label),
                plain(report.class_name(label) or ''),
                str(report.whole.class_counts.get(label, 0)),
                *(str(group.class_counts.get(label, 0)) for group in report.splits.values()),
            ]
        )
    if not report.class_names:
        rows = [[row[0], *row[2:]] for row in rows]
    else:
        width = max(len(row[1]) for row in rows)
        rows = [[f'{row[0]:>5} {row[1]:<{width}}', *row[2:]] for row in rows]
    return _table(rows)


def _findings(kind: str, findings: list[Finding]) -> list[str]:
    lines = []
    for found in findings:
        lines.append(f'{kind} {found.kind} ({found.count}): {found.message}')
        lines += [f'    {case}' for case in found.cases[:MAX_CASES]]
        more = found.count - MAX_CASES
        if found.cases and more > 0:
            lines.append(f'    … and {more} more')
    return lines


def _counted(number: int, noun: str, plural: str = '') -> str:
    return f'{number} {noun if number == 1 else plural or noun + "s"}'


def _heading(report: Inspection) -> list[str]:
    shapes = '; '.join(
        f'V={V} joints, C={C} coordinates' + f' in {count} clips' * (len(report.shapes) > 1)
        for (V, C), count in report.shapes.items()
    )
    persons = ', '.join(f'{number} in {count} clips' for number, count in report.persons.items())
    return [
        f'{report.path}: {_counted(len(report.whole.members), "clip")}, '
        f'{_counted(len(report.whole.class_counts), "class", "classes")}',
        f'keypoint: {shapes or "no clip without a fault"}'
        + ''.join(f', {dtype}' for dtype in report.dtypes),
        f'persons: {persons or "none"}',
        f'unit: {report.units.name}, it seems ({report.units.why})',
    ]


def as_text(report: Inspection) -> str:
    """Writes an inspection out.

    Args:
        report (Inspection): What was found.

    Returns:
        str: Some paragraphs. Names from the file are shown without control characters.
    """
    lines = _heading(report)
    rows = [['split', 'clips', 'classes', 'clips a class', 'frames: min', 'median', 'max']]
    rows += [_split_row(plain(name), group) for name, group in report.splits.items()]
    rows.append(_split_row('(whole file)', report.whole))
    lines += ['', *_table(rows)]
    if report.whole.class_counts:
        lines += ['', *_classes(report)]
    lines += ['']
    if report.pairs:
        lines.append(
            'compared for common clips: '
            + ', '.join(f'{plain(one)} and {plain(other)}' for one, other in report.pairs)
        )
    lines += _findings('fault', report.faults)
    lines += _findings('warning', report.warnings)
    verdict = 'training cannot use it as it is' if report.faults else 'sound'
    lines.append(
        f'{verdict}: {_counted(len(report.faults), "fault")}, '
        f'{_counted(len(report.warnings), "warning")}'
    )
    return '\n'.join(lines)
