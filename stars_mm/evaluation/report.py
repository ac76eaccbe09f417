"""Scores for a report: raw coordinates, random encoder, every stage."""

import platform
from importlib.metadata import version

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner, set_random_seed
from torch import Tensor, nn

from stars_mm.engine.features import FeatureSet, extract_features
from stars_mm.evaluation.functional import cluster_scores, knn_accuracy
from stars_mm.evaluation.stages import TrainedStage
from stars_mm.version import __version__

NEIGHBOURS = (1, 2, 5, 10)
PACKAGES = ('mmengine', 'mmaction2', 'numpy', 'scikit-learn', 'matplotlib')


class RawFeatures(BaseModel):
    """The clip itself as its feature: what every encoder has to beat.

    Args:
        motion (bool): Differences between neighbouring frames instead of coordinates.
    """

    def __init__(self, motion: bool = False) -> None:
        super().__init__(dict(type='mmaction.ActionDataPreprocessor'))
        self.motion = motion

    def extract_feat(self, inputs: Tensor) -> Tensor:
        """Clips (N, clips, M, T, V, C) as vectors (N, clips · M · … · C)."""
        if self.motion:
            inputs = inputs.diff(dim=3)  # (N, clips, M, T - 1, V, C)
        return inputs.flatten(1)

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'):
        """Features, in ``data_samples`` where ``mode`` is 'predict'."""
        feats = self.extract_feat(inputs)
        if mode != 'predict':
            return feats
        for data_sample, feat in zip(data_samples, feats):
            data_sample.feature = feat
        return data_samples


def unturned(cfg: Config) -> Config | None:
    """A config whose test clips are centred but not turned.

    Args:
        cfg (Config): Config with ``test_dataloader`` and ``test_cfg.bank_dataloader``.

    Returns:
        Config or None: None where the clips are not turned anyway.
    """
    cfg = Config(cfg.to_dict())
    turned = False
    for loader in (cfg.test_dataloader, cfg.test_cfg.bank_dataloader):
        for step in loader.dataset.pipeline:
            if step['type'] == 'CenterSkeleton' and step.get('align'):
                step.align, turned = None, True
    return cfg if turned else None


class FeatureReader:
    """Reads the features of a config's bank and test clips.

    Args:
        cfg (Config): Config with ``test_dataloader`` and ``test_cfg.bank_dataloader``.
    """

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.bank = Runner.build_dataloader(cfg.test_cfg.bank_dataloader)
        self.query = Runner.build_dataloader(cfg.test_dataloader)

    def read(self, model: nn.Module) -> dict[str, FeatureSet]:
        """Features of the ``bank`` and of the ``query``."""
        model = model.to(get_device())
        return dict(
            bank=extract_features(model, self.bank), query=extract_features(model, self.query)
        )


def build_random_model(cfg: Config, seed: int) -> nn.Module:
    """An untrained model of a config.

    Args:
        cfg (Config): Config of the first stage.
        seed (int): Seed of the weights.

    Returns:
        nn.Module: The model in evaluation mode.
    """
    set_random_seed(seed)
    model = MODELS.build(cfg.model)
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')  # it would list every parameter
    model.init_weights()
    logger.setLevel(level)
    return model.eval()


def score(features: dict[str, FeatureSet], seed: int = 0) -> dict[str, float]:
    """Scores of one kind of feature.

    Args:
        features (dict[str, FeatureSet]): ``bank`` and ``query``.
        seed (int): Seed of k-means.

    Returns:
        dict[str, float]: ``knn_top1`` (k = 1) and ``knn_k2`` … in percent,
        ``nmi`` in 0…1, ``ari`` and ``silhouette`` in −1…1.
    """
    bank, query = features['bank'], features['query']
    ks = [k for k in NEIGHBOURS if k <= len(bank.labels)]
    knn = knn_accuracy(bank.features, bank.labels, query.features, query.labels, ks)
    scores = {'knn_top1' if k == 1 else f'knn_k{k}': knn[f'top1_k{k}'] for k in ks}
    scores.update(cluster_scores(query.features, query.labels, seed))
    return {name: round(value, 4) for name, value in scores.items()}


def describe(reader: FeatureReader, stages: list[TrainedStage], seed: int) -> dict:
    """What the numbers rest on, for the ``meta`` entry of the results.

    Args:
        reader (FeatureReader): The clips.
        stages (list[TrainedStage]): The stages.
        seed (int): Seed of the report.

    Returns:
        dict: ``seed``, ``clips``, ``classes``, ``protocol``, ``stages`` and ``versions``.
    """
    bank, query = reader.bank.dataset, reader.query.dataset
    sets = [
        f'{getattr(data, "split", None) or "all"} ({len(data)} clips)' for data in (bank, query)
    ]
    return dict(
        seed=seed,
        clips=dict(bank=len(bank), query=len(query)),
        protocol=f'Nearest neighbours by cosine: bank {sets[0]}, query '
        f'{sets[1]} of {query.ann_file}, uniform vote, last epoch of every '
        'stage. NMI and ARI compare k-means with the classes, silhouette is '
        'that of the classes under cosine distance; all on the query. Raw '
        "rows take the test pipeline's output as it is.",
        stages=[
            dict(
                row=stage.row,
                checkpoint=stage.checkpoint.name,
                epochs=stage.meta['epoch'],
                planned_epochs=stage.cfg.train_cfg.get('max_epochs'),
                iterations=stage.meta['iter'],
                seed=stage.meta.get('seed'),
            )
            for stage in stages
        ],
        versions=dict(
            stars_mm=__version__,
            python=platform.python_version(),
            torch=torch.__version__,
            **{name: version(name) for name in PACKAGES},
        ),
    )
