"""Models of 16 channels, on clips of which one person is often absent."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from stars_mm.speed.works import Sizes


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def sizes() -> Sizes:
    return Sizes().tiny()


@pytest.fixture
def build():

    def _build(cfg: dict):
        with DefaultScope.overwrite_default_scope('mmaction'):
            return MODELS.build(cfg)

    return _build
