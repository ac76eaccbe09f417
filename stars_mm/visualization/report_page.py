"""The page of a report: one file that needs no other."""

import html
import json
import re
from importlib.resources import files
from typing import Any

_PARTS = files('stars_mm.visualization') / 'page'
_SCRIPTS = ('player.js', 'common.js', 'map.js', 'clips.js', 'numbers.js', 'report.js')


def report_page(title: str, data: dict[str, Any]) -> str:
    """``report.html``: the template with style, scripts, plotly.js and the data in it. Text from
    files goes into the data alone, where no ``<`` is left, and the page shows it as text."""
    from plotly.offline import get_plotlyjs

    def script(text: str) -> str:
        return re.sub(r'</(script)', r'<\\/\1', text, flags=re.IGNORECASE)

    parts = dict(
        title=html.escape(title),
        style=_read('report.css'),
        plotly=script(get_plotlyjs()),
        scripts='\n'.join(_read(name) for name in _SCRIPTS),
        data=json.dumps(data, separators=(',', ':'), allow_nan=False).replace('<', '\\u003c'),
    )
    return re.sub(r'\{\{(\w+)\}\}', lambda found: parts[found[1]], _read('report.html'))


def _read(name: str) -> str:
    return (_PARTS / name).read_text(encoding='utf-8')
