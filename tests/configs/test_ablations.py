"""What each ablation, stream and other backbone changes: files, and command lines of the pages."""

import argparse
import copy
import re
import runpy
import shlex
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction

from stars_mm.engine.runner.stages import build_stage_cfg

ROOT = Path(__file__).parents[2]
take_a_step = runpy.run_path(str(Path(__file__).with_name('test_one_step.py')))['take_a_step']
#: First word of a name → what differs from the recipe in the run, and in its stage 1.
CHANGES = {
    'alpha': ('optim_wrapper.paramwise_cfg.layer_decay', ''),
    'queue': ('model.head.queue_size', ''),
    'topk': ('model.head.topk', ''),
    'moco': ('model.head', ''),
    'dino': ('model.head', ''),
    'views': ('train_dataloader.dataset.pipeline', ''),
    'mae': ('', 'model.motion_aware_tau model.head.motion_stride'),
    'cross': ('', 'model.neck model.head.norm_target'),
    'skip': ('', 'model.skip_absent'),
    'absent': ('', 'model.skip_absent'),
    'bone': ('model.data_preprocessor', 'model.data_preprocessor'),
    'motion': ('model.data_preprocessor', 'model.data_preprocessor'),
    'stgcnpp': ('model.backbone', 'model.backbone'),
    'aagcn': ('model.backbone', 'model.backbone'),
}
RECIPES = {'ntu60-xsub': 'stars_ntu60.py', 'nw-ucla_small': 'ablations/mamp-nnclr_nw-ucla_small.py'}
#: Files of which all but one thing is the recipe's.
FILES = [
    'ablations/views-mild_ntu60-xsub.py',
    *(f'ablations/{head}_nw-ucla_small.py' for head in ('moco', 'dino')),
    *(f'streams/{stream}_{data}.py' for stream in ('bone', 'motion') for data in RECIPES),
]


def command_lines() -> dict[str, str]:
    """Work directory → the command line of a page that has options."""
    text = ''.join((ROOT / f'docs/{page}.md').read_text() for page in ('ablations', 'backbones'))
    blocks = re.findall(r'^```bash\n(.*?)^```', text, re.M | re.S)
    lines = ''.join(blocks).replace('\\\n', ' ').splitlines()
    found = {re.search(r'work_dirs/(\S+)', line)[1]: line for line in lines if '-dir' in line}
    return {name: line for name, line in found.items() if '--cfg-options' in line}


LINES = command_lines()


def given(line: str, read) -> tuple[Config, Config]:
    """The config of a command line, with its options and without."""
    parser = argparse.ArgumentParser()
    parser.add_argument('words', nargs=3)
    parser.add_argument('--work-dir')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    args = parser.parse_args(shlex.split(line))
    recipe = read(args.words[2].removeprefix('configs/'))
    cfg = copy.deepcopy(recipe)
    cfg.merge_from_dict(args.cfg_options)
    return cfg, recipe


def differences(a, b, prefix='') -> set[str]:
    """Dotted names of the values that differ; a changed ``type`` makes the whole dict one."""
    a, b = (v.to_dict() if isinstance(v, Config) else v for v in (a, b))
    if not (isinstance(a, dict) and isinstance(b, dict) and a.get('type') == b.get('type')):
        return set() if a == b else {prefix}
    keys = (a.keys() | b.keys()) - {'stages', 'protocols'}
    found = (differences(a.get(k), b.get(k), f'{prefix}.{k}'.lstrip('.')) for k in keys)
    return {re.sub(r'(model\.backbone)\..*', r'\1', key) for key in set().union(*found)}


def stages_of(cfg: Config) -> list[Config]:
    return [build_stage_cfg(cfg, stage, 'work_dir') for stage in cfg.get('stages') or []]


def check_one_thing_differs(name: str, cfg: Config, recipe: Config) -> None:
    own, first = CHANGES[re.match(r'[a-z]+', name)[0]]
    assert differences(cfg, recipe) == set(own.split())
    (stage,), (usual,) = stages_of(cfg), stages_of(recipe)
    assert differences(stage, usual) == set(first.split())


@pytest.mark.parametrize('name', LINES)
def test_command_line(name, read):
    """It changes what it says, and both stages train and test a step."""
    cfg, recipe = given(LINES[name], read)
    check_one_thing_differs(name, cfg, recipe)
    (stage,) = stages_of(cfg)
    if 'model.backbone' in LINES[name]:
        assert cfg.model.backbone == stage.model.backbone
    take_a_step(stage)
    take_a_step(cfg)


@pytest.mark.parametrize('path', FILES)
def test_file(path, read):
    name, data = Path(path).stem.split('_', 1)
    cfg = read(path)
    check_one_thing_differs(name, cfg, read(RECIPES[data]))
    if path.startswith('streams'):
        layout = 'nturgb+d' if data == 'ntu60-xsub' else 'nw-ucla'
        wanted = dict(type='StreamPreprocessor', stream=name, layout=layout)
        assert cfg.model.data_preprocessor == wanted | (
            dict(scale=10.0) if name == 'motion' else {}
        )
        assert list(cfg.protocols) == ['linear']


@pytest.mark.parametrize('data', RECIPES)
def test_number_of_stages(data, read):
    recipe, small = read(RECIPES[data]), data == 'nw-ucla_small'
    (first,) = stages_of(recipe)
    three, one, scratch = (
        read(f'ablations/{name}_{data}.py') for name in ('three-stage', 'one-stage', 'scratch')
    )
    pretrain, head_alone = stages_of(three)
    assert differences(pretrain, first) == differences(three.model, recipe.model) == set()
    assert head_alone.model.backbone.frozen_stages == recipe.model.backbone.depth
    epochs = head_alone.train_cfg.max_epochs, three.train_cfg.max_epochs
    assert epochs == ((16, 8) if small else (20, 10))

    head, contrast = recipe.model.head, one.model.pop('contrast_head')
    assert {key: contrast.get(key, head[key]) for key in head} == head
    assert differences({**one.model, 'type': 'MAMP'}, first.model) == set()

    assert scratch.allow_random_init and not scratch.get('stages')
    assert differences(scratch.model, recipe.model) == set()
    assert scratch.optim_wrapper.get('paramwise_cfg', {}).get('num_trainable_layers') is None
    assert scratch.train_cfg.max_epochs == (150 + 8 if small else 400)
