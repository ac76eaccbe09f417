"""The report's tables and its page."""

import html
from collections.abc import Sequence

TITLES = {
    'raw_unturned': 'raw coordinates, not turned',
    'raw': 'raw coordinates',
    'raw_motion': 'raw motion',
    'random': 'random encoder',
    'mamp': 'MAMP (stage 1)',
    'stars': 'STARS (stage 2)',
}
COLUMNS = (
    ('kNN k = 1 (%)', 'knn_top1', '{:.1f}'),
    ('k = 2', 'knn_k2', '{:.1f}'),
    ('k = 5', 'knn_k5', '{:.1f}'),
    ('k = 10', 'knn_k10', '{:.1f}'),
    ('NMI', 'nmi', '{:.3f}'),
    ('ARI', 'ari', '{:.3f}'),
    ('silhouette', 'silhouette', '{:.3f}'),
)
PICTURES = (
    ('curves.png', 'Training loss and kNN accuracy against iterations.'),
    ('tsne.png', 'The test clips as each encoder sees them, placed by t-SNE.'),
    (
        'masked.gif',
        'A few test clips: the recording, the tokens that the '
        'encoder is shown, and the motion that the decoder predicts.',
    ),
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; color: #222; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid #ccc;
         text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
figure {{ margin: 2rem 0; }}
img {{ max-width: 100%; }}
figcaption, .note {{ color: #555; font-size: .9rem; }}
pre {{ background: #f5f5f5; padding: .7rem; overflow-x: auto; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{protocol}</p>
{table}
<p class="note">{stages}</p>
{figures}
<h2>Commands</h2>
<pre>{commands}</pre>
<p class="note">{versions}</p>
</body>
</html>
"""


def row_title(key: str) -> str:
    """A reader's name for a row of the results."""
    return TITLES.get(key, f'stage "{key}"')


def table_cells(results: dict[str, dict]) -> list[list[str]]:
    """Header and rows of the results table as text.

    Args:
        results (dict): Row name to scores, as in ``results.json``.

    Returns:
        list[list[str]]: The header first.
    """
    cells = [['features'] + [title for title, _, _ in COLUMNS]]
    for key, scores in results.items():
        if key != 'meta':
            cells.append(
                [row_title(key)]
                + [
                    layout.format(scores[name]) if name in scores else '–'
                    for _, name, layout in COLUMNS
                ]
            )
    return cells


def markdown_table(results: dict[str, dict]) -> str:
    """The results as a Markdown table."""
    header, *rows = table_cells(results)
    rule = ['---'] + ['---:'] * (len(header) - 1)
    return '\n'.join(f'| {" | ".join(row)} |' for row in [header, rule, *rows])


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
    """The versions behind the numbers, in words."""
    versions = ', '.join(f'{name} {number}' for name, number in meta['versions'].items())
    return f'Made with {versions}; report seed {meta["seed"]}.'


def markdown_report(results: dict[str, dict]) -> str:
    """``results.md``: the table and all that is needed to read it."""
    meta = results['meta']
    commands = '\n'.join(meta['commands'])
    return (
        f'# Results of `{meta["config"]}`\n\n'
        f'{markdown_table(results)}\n\n'
        f'{meta["protocol"]} {stage_sentences(meta)}\n\n'
        f'```\n{commands}\n```\n\n{version_sentence(meta)}\n'
    )


def html_report(results: dict[str, dict], pictures: Sequence[str]) -> str:
    """``report.html``: table and pictures together, relative links only.

    Args:
        results (dict): As in ``results.json``.
        pictures (sequence[str]): File names, beside the page.

    Returns:
        str: The page.
    """
    meta = results['meta']
    captions = dict(PICTURES)
    figures = '\n'.join(
        f'<figure><img src="{html.escape(name)}" alt="{html.escape(name)}">'
        f'<figcaption>{html.escape(captions.get(name, name))}</figcaption>'
        '</figure>'
        for name in pictures
    )
    header, *rows = table_cells(results)
    lines = [_html_row(header, 'th')] + [_html_row(row, 'td') for row in rows]
    return _PAGE.format(
        title=html.escape(f'Results of {meta["config"]}'),
        protocol=html.escape(meta['protocol']),
        table='<table>\n' + '\n'.join(lines) + '\n</table>',
        stages=html.escape(stage_sentences(meta)),
        figures=figures,
        commands=html.escape('\n'.join(meta['commands'])),
        versions=html.escape(version_sentence(meta)),
    )


def _html_row(cells: Sequence[str], tag: str) -> str:
    """One row of an HTML table."""
    inner = ''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)
    return f'<tr>{inner}</tr>'
