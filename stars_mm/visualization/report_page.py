"""The report's texts: ``results.md`` and ``report.html``."""

import html
from collections.abc import Sequence

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
PICTURES = {
    'curves.png': 'Training loss and kNN accuracy against iterations.',
    'tsne.png': 'The test clips as each encoder sees them, placed by t-SNE.',
    'masked.gif': 'A few test clips: the recording, the tokens that the encoder is shown, and '
    'the motion that the decoder predicts.',
}

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid #ccc; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
figure {{ margin: 2rem 0; }}
img {{ max-width: 100%; }}
figcaption, .note {{ color: #555; font-size: .9rem; }}
pre {{ background: #f5f5f5; padding: .7rem; overflow-x: auto; }}
</style>
<h1>{title}</h1>
<p>{protocol}</p>
<table>{table}</table>
<ul>{lost}</ul>
<p class="note">{stages}</p>
{figures}
<h2>Commands</h2>
<pre>{commands}</pre>
<p class="note">{versions}</p>
</html>
"""


def table_cells(results: dict[str, dict]) -> list[list[str]]:
    """Header and rows of the results table as text, of scores by row as in ``results.json``."""
    rows = [
        [row_title(row), *(format_measure(scores.get(name), name) for name in COLUMNS)]
        for row, scores in results.items()
        if row != 'meta'
    ]
    return [['features', *COLUMNS.values()], *rows]


def markdown_report(results: dict[str, dict]) -> str:
    """``results.md``: the table and all that is needed to read it."""
    meta = results['meta']
    parts = [
        f'# Results of `{meta["config"]}`',
        markdown_table(table_cells(results)),
        *(['\n'.join(f'- {lost}' for lost in meta['lost_to'])] if meta.get('lost_to') else []),
        f'{meta["protocol"]} {_stage_sentences(meta)}',
        '```\n{}\n```'.format('\n'.join(meta['commands'])),
        f'{_version_sentence(meta)}\n',
    ]
    return '\n\n'.join(parts)


def html_report(results: dict[str, dict], pictures: Sequence[str]) -> str:
    """``report.html``: the table, and those of :data:`PICTURES` that lie beside the page."""
    meta = results['meta']
    figures = [
        f'<figure><img src="{name}" alt="{name}"><figcaption>{html.escape(PICTURES[name])}'
        '</figcaption></figure>'
        for name in pictures
    ]
    rows = [
        ''.join(f'<td>{html.escape(cell)}</td>' for cell in row) for row in table_cells(results)
    ]
    rows[0] = rows[0].replace('td>', 'th>')
    texts = dict(
        title=f'Results of {meta["config"]}',
        protocol=meta['protocol'],
        stages=_stage_sentences(meta),
        commands='\n'.join(meta['commands']),
        versions=_version_sentence(meta),
    )
    return _PAGE.format(
        table='\n'.join(f'<tr>{row}</tr>' for row in rows),
        figures='\n'.join(figures),
        lost='\n'.join(f'<li>{html.escape(lost)}</li>' for lost in meta.get('lost_to', [])),
        **{key: html.escape(text) for key, text in texts.items()},
    )


def _stage_sentences(meta: dict) -> str:
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


def _version_sentence(meta: dict) -> str:
    versions = ', '.join(f'{name} {number}' for name, number in meta['versions'].items())
    return f'Made with {versions}; report seed {meta["seed"]}.'
