"""The page on backbones does what it says."""

import re
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.engine.runner.checks import check_handover
from stars_mm.engine.runner.stages import build_stage_cfg

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/backbones.md').read_text()
BLOCKS = re.findall(r'^```python\n(.*?)^```', PAGE, re.M | re.S)


@pytest.fixture(autouse=True)
def scope():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield
    MODELS._module_dict.pop('JointConvNet', None)


def test_code_runs():
    namespace = {}
    code = [block for block in BLOCKS if not block.startswith('# configs/')]
    assert len(code) == 4
    for block in code:
        exec(compile(block, 'docs/backbones.md', 'exec'), namespace)


def test_configs_fit_together(tmp_path):
    folder = tmp_path / 'configs'
    folder.mkdir()
    for path in (ROOT / 'configs').iterdir():
        (folder / path.name).symlink_to(path)
    (folder / 'mine').mkdir()
    configs = [block for block in BLOCKS if block.startswith('# configs/')]
    for block in configs:
        name = block.splitlines()[0].removeprefix('# ')
        (tmp_path / name).write_text(block)
    (stars,) = (folder / 'mine').glob('stars_*.py')
    cfg = Config.fromfile(stars)
    cfg.randomness = dict(seed=0)
    cfg.stages[0].config = str(folder / cfg.stages[0].config)
    stage = build_stage_cfg(cfg, cfg.stages[0], str(tmp_path))
    model = MODELS.build(stage.model)
    check_handover(model, MODELS.build(cfg.model), stage.filename)
    with torch.no_grad():
        model.loss(torch.randn(2, 1, 1, 64, 20, 3))
