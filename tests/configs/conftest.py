"""Every config, once read, and made-up recordings in the places that they name."""

import copy
import pickle
import re
import runpy
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

CONFIGS = Path(__file__).parents[2] / 'configs'
#: File → classes, joints, coordinates and the protocols of its splits.
FILES = {
    'ntu60_3d': (60, 25, 3, ('xsub', 'xview')),
    'ntu120_3d': (120, 25, 3, ('xsub', 'xset')),
    'pku1_3d': (51, 25, 3, ('xsub',)),
    'pku2_3d': (51, 25, 3, ('xsub',)),
    'nw-ucla': (10, 20, 3, ('xview',)),
    'demo': (15, 25, 3, ('xsub',)),
    'custom': (4, 17, 2, ('xsub',)),
}


NAMES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.parts and 'union' not in path.stem  # test_union.py
)
#: What the environment may say to a config of one's own recordings.
KNOBS = 'ANN_FILE PRETRAIN_ITERS START TURN MIRROR BATCH_SIZE TRAIN_SPLIT VAL_SPLIT'.split()
#: What a test that asks for one of these gets, one after another.
GROUPS = dict(
    any_config=r'.*',
    recipe=r'(stars/)?[^/]+$',
    classifier=r'benchmarks/(linear|finetune|semi|transfer)/',
    fewshot=r'benchmarks/fewshot/',
)


def pytest_generate_tests(metafunc):
    for group, pattern in GROUPS.items():
        if group in metafunc.fixturenames:
            metafunc.parametrize(group, [name for name in NAMES if re.match(pattern, name)])


def write_clips(path: Path, classes: int, joints: int, channels: int, protocols: tuple) -> None:
    """Three short clips a class: two train, one tests; every other class has two persons."""
    rng = np.random.default_rng(classes)
    clips = []
    for label in range(classes):
        shape = (1 if joints == 20 else 1 + label % 2, 8, joints, channels)
        for take in (1, 2, 3):
            keypoint = rng.normal(size=shape).astype(np.float32)
            name = f'S001C001P{take:03d}R001A{label + 1:03d}'
            clips.append(dict(frame_dir=name, label=label, total_frames=8, keypoint=keypoint))
    splits = dict(
        train=[clip['frame_dir'] for clip in clips if 'P003' not in clip['frame_dir']],
        val=[clip['frame_dir'] for clip in clips if 'P003' in clip['frame_dir']],
    )
    splits = {f'{name}_{part}': splits[part] for name in protocols for part in splits}
    content = dict(split=splits, annotations=clips)
    if channels == 2:
        content['layout'] = 'coco-17'
    path.write_bytes(pickle.dumps(content))


@pytest.fixture(scope='session')
def made_up(tmp_path_factory) -> Path:
    """A folder in which ``data/skeleton/`` has the files and label subsets that configs name."""
    folder = tmp_path_factory.mktemp('made-up')
    data = folder / 'data/skeleton'
    data.mkdir(parents=True)
    for name, content in FILES.items():
        write_clips(data / f'{name}.pkl', *content)
    tool = str(CONFIGS.parent / 'tools/data/draw_subset.py')
    patch = pytest.MonkeyPatch()
    subsets = ('ntu60_3d xsub', 'ntu60_3d xview', 'nw-ucla xview', 'demo xsub')
    for name, split in map(str.split, subsets):
        words = (data / f'{name}.pkl', f'{split}_train', data / 'subsets', '--percent', '10')
        patch.setattr(sys, 'argv', [tool, *map(str, words)])
        runpy.run_path(tool, run_name='__main__')
    patch.undo()
    return folder


@pytest.fixture(autouse=True)
def place(made_up, monkeypatch):
    """Tests run where those files are, and configs of one's own recordings read theirs."""
    monkeypatch.chdir(made_up)
    for knob in KNOBS:
        monkeypatch.delenv(knob, raising=False)
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@cache
def _read(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


@pytest.fixture(scope='session')
def read() -> Callable[[str], Config]:
    """``read(name)``: a config, of which each file is read once."""

    def _copy(name: str) -> Config:
        cfg = copy.deepcopy(_read(name))
        cfg.randomness = dict(seed=0)
        return cfg

    return _copy


@pytest.fixture(scope='session')
def shapes() -> Callable[[dict], dict]:
    """``shapes(model_cfg)``: name → shape of the state; each different model is built once."""
    found: dict[str, dict] = {}

    def _shapes(model: dict) -> dict:
        if str(model) not in found:
            state = MODELS.build(model).state_dict()
            found[str(model)] = {name: tuple(value.shape) for name, value in state.items()}
        return found[str(model)]

    return _shapes


@pytest.fixture(scope='session')
def classes() -> dict[str, int]:
    """Classes of the file of each data set."""
    return {name: content[0] for name, content in FILES.items()}
