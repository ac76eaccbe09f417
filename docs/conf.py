"""How the documentation is built.

sphinx-build -W --keep-going -b html docs docs/_build/html
"""

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the notebook and the API page are of this checkout

from stars_mm.version import __version__  # noqa: E402

project = 'stars_mm'
author = 'the authors of stars_mm'
version = release = __version__

extensions = ['myst_nb', 'sphinx.ext.autodoc', 'sphinx.ext.autosummary', 'sphinx.ext.napoleon']
exclude_patterns = ['_build', '_static', '_templates']


def model_zoo() -> str:
    """``model-index.yml`` as a Markdown table for each collection."""
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))
    lines = []
    for collection in index['Collections']:
        paper = collection['Paper']
        lines += [f'## {collection["Name"]}', '', f'[{paper["Title"]}]({paper["URL"]})', '']
        lines += ['| name | trained on | config |', '|---|---|---|']
        for model in index['Models']:
            if model['In Collection'] != collection['Name']:
                continue
            data = model['Metadata']['Training Data']
            data = data if isinstance(data, str) else ', '.join(data)
            name = model['Name']
            if 'Weights' in model:
                card = model['README'].removeprefix('docs/')
                name = f'[`{model["Weights"]}`]({card}), weights under {model["License"]}'
            lines.append(f'| {name} | {data} | `{model["Config"]}` |')
        lines.append('')
    return '\n'.join(lines)


html_theme = 'furo'
html_title = 'stars_mm'
html_show_copyright = False
html_static_path = ['_static']
html_css_files = ['wide.css']

myst_enable_extensions = ['colon_fence', 'substitution']
myst_heading_anchors = 4
myst_substitutions = dict(model_zoo=model_zoo())

nb_execution_mode = 'force'
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = 'remove'

autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
autosummary_generate = True
templates_path = ['_templates']
