"""Configs of the features' rows."""

import pytest
from mmengine.config import Config

from stars_mm.evaluation.protocols.features import without_turn


@pytest.mark.parametrize('turn', [dict(align=(4, 8)), dict(upright=(0, 2)), {}])
def test_clips_not_turned(turn):
    """No turn is left, of the bank or the queries, planned or not; None where there is none."""
    center = dict(type='CenterSkeleton', center_joint=3, **turn)
    mirror = dict(type='RandomMirror', layout='kinect-20')
    query = dict(dataset=dict(pipeline=[dict(type='PackViews', transforms=[center, mirror])]))
    bank = dict(dataset=dict(pipeline=[center, mirror]))
    cfg = Config(dict(test_dataloader=query, test_cfg=dict(bank_dataloader=bank)))
    found = without_turn(cfg)
    if not turn:
        assert found is None
        return
    unturned = dict(type='CenterSkeleton', center_joint=3, align=None, upright=None)
    planned = found.test_dataloader.dataset.pipeline[0].transforms
    for steps in (planned, found.test_cfg.bank_dataloader.dataset.pipeline):
        assert [step.to_dict() for step in steps] == [unturned, mirror]
    assert cfg.test_cfg.bank_dataloader.dataset.pipeline[0].get('upright') == turn.get('upright')
