"""Fixtures shared by every test."""

import stars_mm  # noqa: F401  first: it mends what keeps mmaction from being imported

# isort: split

import functools
import importlib.util
import os
import pickle
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import mmaction
import mmcv
import numpy as np
import pytest
import torch
from mmengine.dataset import base_dataset
from mmengine.utils import digit_version

ROOT = Path(__file__).resolve().parents[1]

# More threads than this only slow down the small tensors of the tests.
torch.set_num_threads(1)
# Data sets collect garbage when they are made, which takes longer than most tests.
base_dataset.gc = SimpleNamespace(collect=list)


def pytest_collection_modifyitems(items):
    """After torch.export, where torch is a build for GPUs, no forked process can train."""
    exporting = ('test_export.py', 'test_strangers_checkpoints.py')
    items.sort(key=lambda item: item.path.name in exporting)


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


@pytest.fixture(scope='session')
def load_tool(repo_root):
    """``load_tool('analysis/evaluate.py')``: a tool as a module."""

    def _load(name: str):
        path = repo_root / 'tools' / name
        spec = importlib.util.spec_from_file_location(f'{path.stem}_tool', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return _load


def make_clip(number: int, shape=(1, 12, 5, 3), **extra) -> dict:
    rng = np.random.default_rng(number)
    clip = dict(
        frame_dir=f'clip{number}',
        label=number % 3,
        keypoint=rng.standard_normal(shape).astype(np.float16),
        total_frames=shape[1],
    )
    clip.update(extra)
    return clip


@pytest.fixture(name='make_clip', scope='session')
def make_clip_fixture():
    """``make_clip(number, shape, **entries)``: an annotation of random coordinates."""
    return make_clip


@pytest.fixture
def clips() -> list:
    """Six clips of 5 joints: even ones of one person, odd ones of two."""
    return [make_clip(i, (1 + i % 2, 10 + i, 5, 3)) for i in range(6)]


@pytest.fixture
def write(tmp_path):
    """Writes clips as an annotation file; clips 0 to 3 train, 4 and 5 test."""

    def _write(clips: list, **splits) -> str:
        names = [clip.get('frame_dir') for clip in clips]
        splits = splits or dict(train=names[:4], val=names[4:])
        path = tmp_path / 'ann.pkl'
        path.write_bytes(pickle.dumps(dict(split=splits, annotations=clips), protocol=4))
        return str(path)

    return _write


@pytest.fixture
def run_command(repo_root, tmp_path):
    """Runs a command in a foreign folder, on the CPU, with this Python."""

    def _run(*command, check=True, **env) -> subprocess.CompletedProcess:
        paths = os.pathsep.join([str(repo_root), *filter(None, sys.path)])
        base = dict(os.environ, PYTHON=sys.executable, PYTHONPATH=paths, OMP_NUM_THREADS='1')
        done = subprocess.run(
            [str(part) for part in command],
            cwd=tmp_path,
            env={**base, 'CUDA_VISIBLE_DEVICES': '', **env},
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=500,
        )
        assert not check or done.returncode == 0, done.stderr[-3000:]
        return done

    return _run


@pytest.fixture(scope='session')
def stock_tool():
    """``stock_tool('test.py')``: what Python is given to run one of mmaction2's own tools."""
    folder = Path(mmaction.__file__).parent / '.mim/tools'
    is_refused = digit_version(mmcv.__version__) >= digit_version(mmaction.mmcv_maximum_version)
    return lambda name: [*(['-m', 'stars_mm'] if is_refused else []), folder / name]


@pytest.fixture(scope='session')
def two_ranks(ranks):
    """``two_ranks(function)``: :func:`ranks` of two processes."""
    return functools.partial(ranks, number=2)


@pytest.fixture(scope='session')
def ranks(tmp_path_factory):
    """``ranks(function, number)`` calls ``function(rank)`` in so many processes that talk by gloo,
    and gives what each returned."""
    context = torch.multiprocessing.get_context('fork')

    def _rank(rank, number, function, store, results) -> None:
        os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(number))
        torch.distributed.init_process_group(
            'gloo',
            init_method=f'file://{store}',
            rank=rank,
            world_size=number,
            timeout=timedelta(seconds=60),
        )
        results.put((rank, function(rank)))
        torch.distributed.barrier()

    def _call(function, number) -> list:
        store, results = tmp_path_factory.mktemp('ranks') / 'store', context.Queue()
        processes = [
            context.Process(target=_rank, args=(rank, number, function, store, results))
            for rank in range(number)
        ]
        for process in processes:
            process.start()
        found = dict(results.get(timeout=120) for _ in processes)
        for process in processes:
            process.join(timeout=60)
        return [found[rank] for rank in range(number)]

    return _call
