"""Tables in Markdown."""

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """Write a table.

    Args:
        rows (Sequence[Sequence[str]]): The cells, the header first.
        text_columns (int): So many columns on the left are words, the others numbers.

    Returns:
        str: The table, without a newline at its end.
    """
    header, *rest = rows
    rule = ['---'] * text_columns + ['---:'] * (len(header) - text_columns)
    return '\n'.join(f'| {" | ".join(row)} |' for row in [header, rule, *rest])
