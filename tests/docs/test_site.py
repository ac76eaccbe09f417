"""The pages leave nothing out that they are to list."""

import importlib
import inspect
import re
import runpy
from pathlib import Path

import pytest
import yaml

from stars_mm.preparation.readers.lookup import known_readers

ROOT = Path(__file__).parents[2]
DOCS = ROOT / 'docs'

#: Packages whose classes and functions are public.
PUBLIC = (
    'apis',
    'models.algorithms',
    'models.backbones',
    'models.necks',
    'models.heads',
    'models.recognizers',
    'models.data_preprocessors',
    'datasets',
    'datasets.transforms',
    'engine.runner',
    'engine.hooks',
    'engine.optimizers',
    'evaluation.metrics',
    'evaluation.functional',
    'preparation.readers',
    'preparation.layouts',
)


@pytest.mark.parametrize('package', PUBLIC)
def test_api_has_all_names(package):
    module = importlib.import_module(f'stars_mm.{package}')
    names = {n for n in module.__all__ if callable(getattr(module, n))}
    listed = set(re.findall(r'^   (\w+)$', (DOCS / 'api.md').read_text(), re.M))
    assert names <= listed
    assert all(inspect.getdoc(getattr(module, name)) for name in names)


def test_zoo_has_all_models():
    zoo = runpy.run_path(str(DOCS / 'conf.py'))['model_zoo']()
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    rows = [line for line in zoo.splitlines() if '`configs/' in line]
    assert len(rows) == len(index['Models'])
    for model in index['Models']:
        assert any(f'`{model["Config"]}`' in row for row in rows)
    for card in re.findall(r'\]\((\S+\.md)\)', zoo):
        assert (DOCS / card).is_file()


def test_each_reader_has_a_page():
    table = (DOCS / 'datasets/index.md').read_text()
    own = (DOCS / 'own-recordings.md').read_text()
    for name in known_readers():
        assert f'`{name}`' in table, name
        assert f'`{name}`' in own or f'--reader {name}' in own, name


def test_each_page_is_in_a_table_of_contents():
    listed = set()
    for index in (DOCS / 'index.md', DOCS / 'datasets/index.md'):
        for block in re.findall(r'```\{toctree\}\n(.*?)```', index.read_text(), re.S):
            names = [line for line in block.splitlines() if line and not line.startswith(':')]
            listed |= {(index.parent / name).relative_to(DOCS).as_posix() for name in names}
    pages = {
        path.relative_to(DOCS).with_suffix('').as_posix()
        for pattern in ('*.md', '*.ipynb', 'datasets/*.md', 'models/*.md')
        for path in DOCS.glob(pattern)
    }
    assert pages - {'index'} == listed
