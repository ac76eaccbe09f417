import torch
from mmaction.registry import HOOKS
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from stars_mm.evaluation.functional.feature_space import build_feature_space
from stars_mm.evaluation.functional.geometry import joint_distances, positions

_MEASURES = dict(positions=positions, distances=joint_distances)


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
        self.space = build_feature_space(feature_space)

    @torch.no_grad()
    def before_train(self, runner: Runner) -> None:
        """Compute the targets; a ValueError where the loader's clips are not those of training."""
        loader = Runner.build_dataloader(self.dataloader)
        check_same_clips(runner.train_dataloader.dataset, loader.dataset)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        runner.logger.info(f'Similarities to be learned: targets of {len(loader.dataset)} clips')
        parts: dict[str, list] = {part: [] for part in self.space.parts}
        for batch in loader:
            inputs = model.data_preprocessor(batch, False)['inputs']
            for part, found in parts.items():
                found.append(_MEASURES[part](inputs).cpu())
        whole = {part: torch.cat(found) for part, found in parts.items()}
        model.head.set_targets(self.space.compare(whole, whole)[0])


def check_same_clips(training: BaseDataset, targets: BaseDataset) -> None:
    """Raise a ValueError where two data sets do not hold the same clips in the same order."""
    names, others = ([_name(d, n) for n in range(len(d))] for d in (training, targets))
    if names != others:
        raise ValueError(
            f'SimilarityTargetHook: its dataloader has {len(others)} clips, which are not the '
            f'{len(names)} of train_dataloader in their order. Give it the annotation file, split '
            'and subset of train_dataloader.'
        )


def _name(dataset: BaseDataset, number: int) -> str:
    read = getattr(dataset, 'get_clip_info', dataset.get_data_info)
    return str(read(number).get('frame_dir'))
