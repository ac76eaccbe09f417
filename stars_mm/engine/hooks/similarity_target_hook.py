import torch
from mmaction.registry import HOOKS, MODELS, TASK_UTILS
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from stars_mm.engine.features import clip_infos, extract_features


@HOOKS.register_module()
class SimilarityTargetHook(Hook):
    """Gives :class:`SimilarityHead` its targets before training: features of the whole clips that
    need no encoder and no label.

    Args:
        dataloader (dict): Data loader of the training clips with the pipeline of a test. Every rank
            reads them all.
        feature_space (str | dict): Of the clips' geometry, see :class:`FeatureSpace`.
    """

    def __init__(self, dataloader: dict, feature_space: str | dict = 'geometry') -> None:
        self.dataloader = dict(dataloader, sampler=None, drop_last=False)
        self.space = TASK_UTILS.build(dict(type='build_feature_space', space=feature_space))
        self.measure = MODELS.build(dict(type='PartFeatures', parts=self.space.parts))

    def rehearse(self, runner: Runner) -> None:
        """Give the head targets of no meaning; a ValueError as of :meth:`before_train`."""
        clips = len(self._build_loader(runner).dataset)
        _head_of(runner).set_targets(torch.ones(clips, 1))

    def before_train(self, runner: Runner) -> None:
        """Compute the targets; a ValueError where the loader's clips are not those of training."""
        loader = self._build_loader(runner)
        runner.logger.info(f'Similarities to be learned: those of {len(loader.dataset)} clips')
        parts = self.measure.split(extract_features(self.measure, loader).features)
        targets, _ = self.space.fit(parts).place(parts, parts)
        _head_of(runner).set_targets(targets)

    def _build_loader(self, runner: Runner) -> DataLoader:
        loader = runner.build_dataloader(self.dataloader)
        check_same_clips(runner.train_dataloader.dataset, loader.dataset)
        return loader


def _head_of(runner: Runner) -> nn.Module:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model.head


def check_same_clips(training: BaseDataset, targets: BaseDataset) -> None:
    """Raise a ValueError where two data sets do not hold the same clips in the same order."""
    names, others = ([clip.get('frame_dir') for clip in clip_infos(d)] for d in (training, targets))
    if names != others:
        raise ValueError(
            f'SimilarityTargetHook: its dataloader has {len(others)} clips, which are not the '
            f'{len(names)} of train_dataloader in their order. Give it the annotation file, split '
            'and subset of train_dataloader.'
        )
