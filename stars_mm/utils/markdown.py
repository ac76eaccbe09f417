"""Tables in Markdown."""

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """Write a table of cells, the header first and without a newline at its end; so many columns on
    the left are words, the others numbers."""
    header, *rest = rows
    rule = ['---'] * text_columns + ['---:'] * (len(header) - text_columns)
    return '\n'.join(f'| {" | ".join(row)} |' for row in [header, rule, *rest])
