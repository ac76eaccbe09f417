"""What the pages name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('page', sorted(path.name for path in (ROOT / 'docs').glob('*.md')))
def test_files_exist(page):
    text = (ROOT / 'docs' / page).read_text()
    named = set(re.findall(r'\b(?:configs|tools)/[\w./-]+\.(?:py|sh)\b', text))
    named |= {f'docs/{name}' for name in re.findall(r'\]\((\w+\.md)\)', text)}
    missing = sorted(name for name in named if '/mine/' not in name and not (ROOT / name).is_file())
    assert not missing
