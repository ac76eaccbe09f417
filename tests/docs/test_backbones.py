"""The page on backbones does what it says."""

import re
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

PAGE = (Path(__file__).parents[2] / 'docs/backbones.md').read_text()


def test_code_runs():
    """A backbone of one's own, pretrained, tuned, frozen in part, and the transformer elsewhere."""
    blocks = re.findall(r'^```python\n(.*?)^```', PAGE, re.M | re.S)
    code = [block for block in blocks if not block.startswith('# configs/')]
    assert len(code) == 4
    torch.manual_seed(0)
    namespace = {}
    with DefaultScope.overwrite_default_scope('mmaction'):
        for block in code:
            exec(compile(block, 'docs/backbones.md', 'exec'), namespace)
    MODELS._module_dict.pop('JointConvNet', None)
