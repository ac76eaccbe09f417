"""The page on protocols does what it says."""

import re
import shutil
from pathlib import Path

from mmengine.config import Config

from stars_mm.engine.runner.stages import build_stage_cfg

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/protocols.md').read_text()


def test_choosing_leaves_the_test_split_alone(tmp_path):
    """The config on the page names the parts of the training split alone, in both stages."""
    (config,) = re.findall(r'^```python\n(# configs/mine/choose.*?)^```', PAGE, re.M | re.S)
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    path = tmp_path / 'configs/mine/choose.py'
    path.parent.mkdir()
    path.write_text(config)
    tuning = Config.fromfile(path)
    pretraining = build_stage_cfg(tuning, tuning.pop('stages')[0], str(tmp_path))
    for cfg in (tuning, pretraining):
        splits = re.findall(r"'split': '(\w+)'", str(cfg.to_dict()))
        assert sorted(splits) == ['xview_val1_train'] * 3 + ['xview_val1_val'] * 2
