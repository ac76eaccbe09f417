"""``results.md``: the table of a report and all that is needed to read it."""

from stars_mm.evaluation.protocols.results_table import format_measure, row_title
from stars_mm.utils.markdown import markdown_table

COLUMNS = {
    'knn_top1': 'kNN k = 1 (%)',
    'knn_k2': 'k = 2',
    'knn_k5': 'k = 5',
    'knn_k10': 'k = 10',
    'nmi': 'NMI',
    'ari': 'ARI',
    'silhouette': 'silhouette',
}


def table_cells(results: dict[str, dict]) -> list[list[str]]:
    """Header and rows of the results table as text, of scores by row as in ``results.json``."""
    rows = [
        [row_title(row), *(format_measure(scores.get(name), name) for name in COLUMNS)]
        for row, scores in results.items()
        if row != 'meta'
    ]
    return [['features', *COLUMNS.values()], *rows]


def markdown_report(results: dict[str, dict]) -> str:
    """The text of ``results.json``'s content."""
    meta = results['meta']
    parts = [
        f'# Results of `{meta["config"]}`',
        markdown_table(table_cells(results)),
        *(['\n'.join(f'- {lost}' for lost in meta['lost_to'])] if meta.get('lost_to') else []),
        f'{meta["protocol"]} {stage_sentences(meta)}',
        f'```\n{meta["command"]}\n```',
        f'{version_sentence(meta)}\n',
    ]
    return '\n\n'.join(parts)


def stage_sentences(meta: dict) -> str:
    """How far each stage was trained, in words."""
    words = []
    for stage in meta['stages']:
        word = f'{row_title(stage["row"])}: '
        if stage['epochs']:
            word += f'epoch {stage["epochs"]}, '
            if stage['epochs'] < (stage['planned_epochs'] or 0):
                word += f'unfinished, of {stage["planned_epochs"]}, '
        words.append(f'{word}iteration {stage["iterations"]}, seed {stage["seed"]}.')
    return ' '.join(words)


def version_sentence(meta: dict) -> str:
    """What it was made with."""
    versions = ', '.join(f'{name} {number}' for name, number in meta['versions'].items())
    return f'Made with {versions}; report seed {meta["seed"]}.'
