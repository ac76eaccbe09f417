import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from stars_mm.engine.runner import last_checkpoint
from stars_mm.engine.runner.last_checkpoint import (
    is_finished,
    latest_checkpoint,
    point_to,
    remove_partials,
)
from stars_mm.utils.input_error import InputError

CONTENT = dict(meta=dict(epoch=1, iter=1), state_dict=dict(a=torch.zeros(100)))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Epochs 1 to 10, and where a signal stopped a run before."""
    for name in ('epoch_1', 'epoch_9', 'epoch_10', 'iter_7', 'best_epoch_12'):
        torch.save(CONTENT, tmp_path / f'{name}.pth')
    point_to(str(tmp_path / 'epoch_10.pth'), str(tmp_path))
    return tmp_path


@pytest.fixture
def told(monkeypatch) -> list[str]:
    """What is logged."""
    found: list[str] = []
    monkeypatch.setattr(last_checkpoint, 'print_log', lambda text, *args: found.append(text))
    return found


def tear(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def latest(folder: Path) -> str:
    return Path(latest_checkpoint(str(folder))).name


@pytest.mark.parametrize('unit', ['epoch', 'iter'])
def test_a_stage_is_finished_at_its_end(tmp_path, unit):
    path = str(tmp_path / 'last.pth')
    torch.save(dict(meta={'epoch': 3, 'iter': 3}, state_dict={}), path)
    done = [is_finished(Config(dict(train_cfg={f'max_{unit}s': n})), path) for n in (2, 3, 4)]
    assert done == [True, True, False]


def test_the_pointer_is_relative(folder):
    assert (folder / 'last_checkpoint').read_text() == 'epoch_10.pth'
    assert latest(folder) == 'epoch_10.pth'


@pytest.mark.parametrize('fault', ['torn', 'empty', 'missing', 'pointer', 'garbled'])
def test_the_one_before(folder, fault, told):
    path = folder / 'epoch_10.pth'
    if fault == 'torn':
        tear(path)
    elif fault == 'empty':
        path.write_bytes(b'')
    elif fault == 'missing':
        path.unlink()
    else:
        (folder / 'last_checkpoint').write_bytes(dict(pointer=b'', garbled=b'\xff\0')[fault])
    before = dict(pointer='iter_7.pth', garbled='iter_7.pth')
    assert latest(folder) == before.get(fault, 'epoch_9.pth')
    (text,) = told
    assert 'the checkpoint before is taken' in text
    named = dict(pointer='last_checkpoint is empty', garbled='is gone')
    assert named.get(fault, str(path)) in text


def test_before_where_a_signal_stopped(folder):
    point_to(str(folder / 'iter_7.pth'), str(folder))
    tear(folder / 'iter_7.pth')
    tear(folder / 'epoch_10.pth')
    assert latest(folder) == 'epoch_9.pth'


def test_none_is_whole(folder):
    for path in folder.glob('epoch_*.pth'):
        tear(path)
    with pytest.raises(InputError, match=r'epoch_10.pth: cannot be read.*epoch_1.pth.*begin anew'):
        latest_checkpoint(str(folder))


def test_leftovers(tmp_path):
    left = ['epoch_3.pth.12.partial', 'last_checkpoint.12.partial', 'stars.py.3.partial']
    for name in [*left, 'training.json.12.partial', 'epoch_3.pth']:
        (tmp_path / name).touch()
    remove_partials(str(tmp_path))
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {'training.json.12.partial', 'epoch_3.pth'}
