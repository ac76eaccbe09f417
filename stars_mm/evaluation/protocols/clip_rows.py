"""Features of the clips alone: what every encoder has to beat."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from math import cos, radians, sin

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import Tensor

from stars_mm.evaluation.functional.feature_space import compare_spaces
from stars_mm.evaluation.protocols.features import GEOMETRY_ROWS, ROLES, BankAndQuery, FeatureReader

#: Rows of coordinates as they are, which keep every clip in memory.
RAW_ROWS = ('raw_unturned', 'raw', 'raw_best_of_turns', 'raw_half_whitened', 'raw_motion')
TURNS = (-60, -30, 0, 30, 60)  # degrees


class RawFeatures(BaseModel):
    """The clip itself as its feature, its differences between neighboring frames, or the clip from
    several sides.

    Args:
        motion (bool): Whether the differences count.
        turns (Sequence[float]): Angles about the vertical y, in degrees; of 3D clips.
    """

    def __init__(self, motion: bool = False, turns: Sequence[float] = ()) -> None:
        super().__init__(dict(type='mmaction.SkeletonPreprocessor'))
        self.motion = motion
        self.turns = tuple(turns)

    def extract_feat(self, inputs: Tensor) -> Tensor:
        """Clips (N, clips, M, T, V, C) as vectors (N, clips · M · … · C), or (N, turns, …)."""
        if self.motion:
            inputs = inputs.diff(dim=3)  # (N, clips, M, T - 1, V, C)
        if self.turns:
            sides = [inputs @ turn_about_y(degrees).to(inputs) for degrees in self.turns]
            return torch.stack(sides, dim=1).flatten(2)
        return inputs.flatten(1)

    def forward(self, inputs: Tensor, data_samples: list, mode: str = 'predict') -> list:
        """The data samples with their features."""
        for data_sample, feat in zip(data_samples, self.extract_feat(inputs)):
            data_sample.feature = feat
        return data_samples


def turn_about_y(degrees: float) -> Tensor:
    """The turn about the vertical y, (3, 3) for row vectors."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return torch.tensor([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def clip_rows(reader: FeatureReader, rows: Collection[str]) -> Iterator[tuple[str, BankAndQuery]]:
    """Features of those of ``RAW_ROWS`` and ``GEOMETRY_ROWS`` that are asked for and there are, one
    after another, since a clip's coordinates may take a hundred times the room of its feature.

    ``raw_unturned`` is there where the pipeline turns the clips, ``raw_best_of_turns`` for 3D clips
    (the query has a view for each of ``TURNS``, of which the most similar one counts).
    """
    unturned = without_turn(reader.cfg)
    if 'raw_unturned' in rows and unturned:
        yield 'raw_unturned', FeatureReader(unturned).read(RawFeatures())
    own = {'raw', 'raw_best_of_turns', 'raw_half_whitened'} & set(rows)
    raw = reader.read(RawFeatures()) if own else {}
    if 'raw' in rows:
        yield 'raw', raw
    if 'raw_best_of_turns' in rows and is_3d(reader):
        query = reader.compute(RawFeatures(turns=TURNS), 'query')
        yield 'raw_best_of_turns', dict(raw, query=query)
    if 'raw_half_whitened' in rows:
        yield 'raw_half_whitened', half_whitened(raw)
    del raw
    if 'raw_motion' in rows:
        yield 'raw_motion', reader.read(RawFeatures(motion=True))
    if set(GEOMETRY_ROWS) & set(rows):
        yield from reader.read_geometry().items()


def half_whitened(raw: BankAndQuery) -> BankAndQuery:
    """Raw coordinates in the space of that name, fitted to the bank."""
    parts = [dict(raw=raw[role].features) for role in ROLES]
    (found,) = compare_spaces(['raw_half_whitened'], *parts).values()
    return {role: replace(raw[role], features=x) for role, x in zip(ROLES, found)}


def is_3d(reader: FeatureReader) -> bool:
    """Whether the clips have three coordinates, and not two and a score."""
    clip = reader.loader('query').dataset.get_data_info(0)
    return clip['keypoint'].shape[-1] == 3 and 'keypoint_score' not in clip


def without_turn(cfg: Config) -> Config | None:
    """A config whose test clips are centred but not turned; None where they are not anyway."""
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    loaders = (cfg.test_dataloader, cfg.test_cfg.bank_dataloader)
    steps = [step for loader in loaders for step in _all_steps(loader.dataset.pipeline)]
    centring = [step for step in steps if step['type'] == 'CenterSkeleton']
    turning = [step for step in centring if step.get('align') or step.get('upright')]
    for step in turning:
        step.update(align=None, upright=None)
    return cfg if turning else None


def _all_steps(steps: list) -> list[dict]:
    """Transforms, and those within others (``PackViews``, ``MultiView``)."""
    return [own for step in steps for own in (step, *_all_steps(step.get('transforms') or []))]
