"""What can be found wrong before training starts."""
import os.path as osp
from typing import Iterator

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn

from ...datasets.annotation import missing_file_error
from ...utils.checkpoint import check_checkpoint


def check_pretrained(runner: Runner, has_stages: bool) -> None:
    """Raise a ValueError where stage 2 would start from a random encoder."""
    model = runner.bare_model
    backbone_init = getattr(model.backbone, 'init_cfg', None) or {}
    resumed = runner._resume and find_latest_checkpoint(runner.work_dir)
    if (not getattr(model, 'needs_pretrained', False) or has_stages
            or runner._load_from or resumed
            or runner.cfg.get('allow_random_init')
            or backbone_init.get('type') == 'Pretrained'):
        return
    raise ValueError(
        f'{runner.cfg.filename}: {type(model).__name__} tunes a pretrained '
        'encoder, and nothing initialises this one. Give a checkpoint of '
        'stage 1 (--cfg-options load_from=PATH), or name stage 1 in `stages`; '
        'for training from scratch on purpose say allow_random_init=True.')


def check_queue(runner: Runner) -> None:
    """Raise a ValueError where the queue holds less than one batch."""
    queue_size = getattr(runner.bare_model.head, 'queue_size', None) \
        if hasattr(runner.bare_model, 'head') else None
    loader = runner.cfg.get('train_dataloader') or {}
    if queue_size is None or 'batch_size' not in loader:
        return
    batch_size = loader['batch_size'] * runner.world_size
    if queue_size < batch_size:
        raise ValueError(
            f'{runner.cfg.filename}: model.head.queue_size={queue_size} is '
            f'less than one batch, {loader["batch_size"]} clips on each of '
            f'{runner.world_size} processes = {batch_size}. Make the queue '
            'larger or train_dataloader.batch_size smaller.')


def check_ann_files(cfg: Config) -> None:
    """Raise a FileNotFoundError where an annotation file is not there."""
    for dataset in _dataset_cfgs(cfg):
        path = osp.join(dataset.get('data_root') or '', dataset['ann_file'])
        if '://' not in path and not osp.isfile(path):
            raise missing_file_error(path)


def check_dataset(dataset: BaseDataset, model: nn.Module,
                  cfg: Config) -> None:
    """Check the first clip, as the pipeline makes it, against the model.

    Args:
        dataset (BaseDataset): Data set of a loop.
        model (nn.Module): The model; one whose backbone does not tell its
            frames, joints and channels is not checked.
        cfg (Config): The config, for the message.

    Raises:
        ValueError: If frames, joints, channels or persons do not fit.
    """
    backbone = getattr(model, 'backbone', None)
    path = getattr(dataset, 'ann_file', type(dataset).__name__)
    inputs = dataset[0]['inputs']
    _, M, T, V, C = inputs.shape
    wanted = dict(num_frames=T, num_joints=V, in_channels=C)
    for key, value in wanted.items():
        expected = getattr(backbone, key, value)
        if expected != value:
            axis = dict(
                num_frames='frames after the pipeline (its clip_len)',
                num_joints='joints',
                in_channels='channels')[key]
            raise ValueError(
                f'{path}: its clips have {value} {axis}, but '
                f'model.backbone.{key}={expected} in {cfg.filename}. Set the '
                'two to the same number.')
    persons = getattr(dataset, 'max_persons', M)
    if persons > M:
        raise ValueError(
            f'{path}: holds clips of {persons} persons, but the pipeline '
            f'keeps {M}. Set num_person={persons} in FormatGCNInput in '
            f'{cfg.filename}.')


def _dataset_cfgs(cfg: Config) -> Iterator[dict]:
    loaders = [cfg.get(f'{mode}_dataloader')
               for mode in ('train', 'val', 'test')]
    loaders += [(cfg.get(f'{mode}_cfg') or {}).get('bank_dataloader')
                for mode in ('val', 'test')]
    for loader in loaders:
        dataset = (loader or {}).get('dataset')
        while dataset is not None and 'dataset' in dataset:  # a wrapper
            dataset = dataset['dataset']
        if dataset is not None and dataset.get('ann_file'):
            yield dataset


def check_handover(stage_model: nn.Module, model: nn.Module,
                   filename: str) -> None:
    """Check that what a stage trains fits the model that goes on with it.

    Args:
        stage_model (nn.Module): Model of the stage.
        model (nn.Module): Model that starts from the stage's checkpoint.
        filename (str): Config of the stage, for the message.

    Raises:
        ValueError: If a tensor of the encoder differs in shape or is missing.
    """
    stage_model = getattr(stage_model, 'module', stage_model)
    check_checkpoint(stage_model.state_dict(), model,
                     f'The model of stage config {filename}')
