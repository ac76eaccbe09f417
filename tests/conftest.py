"""Fixtures shared by every test."""

import os
from pathlib import Path

import pytest
import torch

import stars_mm  # noqa: F401  registers every part before a test asks for one

ROOT = Path(__file__).resolve().parents[1]

# The configs for one's own recordings describe themselves by a file that may
# be there or not; here it is not.
os.environ['ANN_FILE'] = 'data/skeleton/made-up.pkl'

# More threads than this only slow down the small tensors of the tests.
torch.set_num_threads(1)


@pytest.fixture(scope='session')
def repo_root() -> Path:
    """The folder that holds ``setup.py``, ``configs/`` and ``tools/``."""
    return ROOT


@pytest.fixture(scope='session')
def data_dir() -> Path:
    """Small golden arrays that travel with the tests."""
    return ROOT / 'tests' / 'data'


@pytest.fixture(scope='session')
def shared_dir() -> Path:
    """Large reference material, which not every checkout has beside it.

    ``$STARS_SHARED`` names the folder; the default is ``shared`` beside the repository.
    """
    path = Path(os.environ.get('STARS_SHARED', ROOT.parent / 'shared'))
    if not path.is_dir():
        pytest.skip(f'no reference material at {path} (set STARS_SHARED)')
    return path
