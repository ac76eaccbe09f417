"""The commands of the pages: what stands in their blocks of shell."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]
PAGES = [page for page in PAGES if '_build' not in page.parts]


def split_commands(block: str) -> Iterator[list[str]]:
    """Yields the simple commands of a block of shell, each a list of words: without comments,
    redirections and variables of the environment, and with ``CHECKPOINT`` for what another command
    is to give."""
    block = re.sub(r'(?m)(^|\s)#.*$', '', block.replace('\\\n', ' '))
    block = re.sub(r'\$\([^)]*\)', 'CHECKPOINT', block)
    lexer = shlex.shlex(block, posix=True, punctuation_chars=';&|<>\n')
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = ' \t', True, ''
    words: list[str] = []
    for word in [*lexer, '\n']:
        if not set(word) <= set(';&|\n'):
            words.append(word)
            continue
        while words and re.match(r'[A-Z_]+=', words[0]):
            words.pop(0)
        if words:
            yield words[: words.index('>')] if '>' in words else words
        words = []


def page_commands() -> Iterator[tuple[str, list[str]]]:
    """Yields page and words of each command."""
    for page in PAGES:
        for block in re.findall(
            r'^```bash\n(.*?)^```', page.read_text(encoding='utf-8'), re.M | re.S
        ):
            for words in split_commands(block):
                yield str(page.relative_to(ROOT)), words
