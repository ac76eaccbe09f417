"""The page on one's own recordings does what it says."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from stars_mm.preparation.layouts import get_layout
from stars_mm.utils.safe_pickle import load_pickle

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/own-recordings.md').read_text()


def blocks(language):
    return re.findall(rf'^```{language}\n(.*?)^```', PAGE, re.M | re.S)


def commands():
    for block in blocks('bash'):
        yield from block.replace('\\\n', ' ').strip().splitlines()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A checkout in which the page's commands can be given as they stand."""
    for name in ('tools', 'configs'):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('ANN_FILE', raising=False)
    return tmp_path


def give(command, monkeypatch):
    """Gives a command in this process, which has imported torch already."""
    words = shlex.split(command, comments=True)
    monkeypatch.setattr(sys, 'argv', words[1:])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(words[1], run_name='__main__')
    assert not end.value.code


def make_lab(folder, classes=4, subjects=6, takes=2):
    """Films of x, y in pixels and confidence, a CSV each."""
    rng = np.random.default_rng(0)
    joints = get_layout('coco-17').joints
    header = ','.join(f'{joint}_{axis}' for joint in joints for axis in ('x', 'y', 'score'))
    for number in range(classes * subjects * takes):
        label, subject, take = np.unravel_index(number, (classes, subjects, takes))
        clip = rng.normal(500, 60 + 20 * label, (int(rng.integers(30, 50)), 17, 3))
        clip[..., 2] = rng.uniform(0.5, 1, clip.shape[:2])
        path = folder / f'swing{label}/s{subject:02}_{take}.csv'
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, clip.reshape(-1, 51), '%.3f', ',', header=header, comments='')


def test_from_folder_to_a_config(place, monkeypatch, capsys):
    make_lab(place / 'recordings')
    give(next(commands()), monkeypatch)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ['all', '32', '16'] in rows
    content = load_pickle('data/skeleton/custom.pkl')
    assert content['layout'] == 'coco-17'
    assert content['annotations'][0]['keypoint'].shape[2:] == (17, 2)
    cfg = Config.fromfile('configs/stars_custom.py')
    assert cfg.model.backbone.in_channels == 3  # x, y and confidence
    assert (cfg.num_classes, cfg.train_dataloader.batch_size) == (
        4,
        32,
    )  # all there are, and not 48


def test_the_reader_reads(place, monkeypatch):
    (block,) = blocks('python')
    (place / 'my_reader.py').write_text(block)
    (place / 'takes').mkdir()
    rows = np.random.default_rng(0).normal(0, 1, (7, 51)).round(3)
    np.savetxt(place / 'takes/ann-sit-1.txt', rows)
    np.savetxt(place / 'takes/bea-sit-1.txt', rows + 1)
    (command,) = [c for c in commands() if '--reader my_reader.py' in c]
    give(command, monkeypatch)
    one, other = load_pickle('data/skeleton/takes.pkl')['annotations']
    np.testing.assert_allclose(one['keypoint'], rows.reshape(1, 7, 17, 3), rtol=1e-6)
    np.testing.assert_allclose(other['keypoint'], rows.reshape(1, 7, 17, 3) + 1, rtol=1e-6)

    (block,) = blocks('json')
    (place / 'my_layout.json').write_text(block)
    layout = get_layout(str(place / 'my_layout.json'))
    assert (layout.num_joints, layout.root, layout.unit) == (5, 1, 'm')
    assert layout.left == (0, 3) and layout.right == (2, 4)
