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

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]
exclude_patterns = ['_build', '_templates']

html_theme = 'furo'
html_title = 'stars_mm'

myst_enable_extensions = ['colon_fence', 'substitution']
myst_heading_anchors = 3

nb_execution_mode = 'force'
nb_execution_raise_on_error = True
nb_execution_timeout = 300

autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
autosummary_generate = True
templates_path = ['_templates']
