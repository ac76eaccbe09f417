"""Names of the authors' weights against ours."""

from collections.abc import Iterable
from typing import Any

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from stars_mm.utils.checkpoint_sources import load_from_file  # noqa: F401  mmengine's loader
from stars_mm.utils.input_error import InputError
from stars_mm.utils.weights_file import weights_of

# (theirs, ours): a name that ends in a dot is a prefix, any other is whole
_NAMES = [
    # encoder
    ('joints_embed.proj.', 'backbone.patch_embed.projection.'),
    ('temp_embed', 'backbone.temporal_embed'),
    ('pos_embed', 'backbone.joint_embed'),
    ('blocks.', 'backbone.blocks.'),
    ('norm.', 'backbone.norm.'),
    # MAMP's decoder
    ('decoder_embed.', 'neck.embed.'),
    ('mask_token', 'neck.mask_token'),
    ('decoder_temp_embed', 'neck.temporal_embed'),
    ('decoder_pos_embed', 'neck.joint_embed'),
    ('decoder_blocks.', 'neck.blocks.'),
    ('decoder_norm.', 'neck.norm.'),
    ('decoder_pred.', 'neck.pred.'),
    # STARS's head
    ('head.projector.', 'head.projector.'),
    ('head.predictor.', 'head.predictor.'),
    ('queue', 'head.queue.feats'),
    ('queue_ptr', 'head.queue.ptr'),
    ('queue_id', 'head.queue.ids'),
    # linear probe and finetuning
    ('head.fc.', 'cls_head.fc.'),
    ('head.fc1.', 'cls_head.fc1.'),
    ('head.bn.', 'cls_head.bn.'),
    ('head.fc2.', 'cls_head.fc2.'),
]
_STUDENT = 'encoder_student.'
_CONVERTER = 'tools/model_converters/convert_checkpoint.py'


def is_official(names: Iterable[str]) -> bool:
    """Whether names of tensors are those of the authors' models."""
    return any(
        name.removeprefix(_STUDENT).startswith(('joints_embed.', 'blocks.')) for name in names
    )


def convert_official(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of the authors' models to ours.

    Args:
        state (dict[str, Tensor]): State dict of MAMP, of STARS (names with or
            without ``encoder_student.``), or of a linear or finetuned model.

    Returns:
        dict[str, Tensor]: State dict of our ``MAMP``, ``STARS`` or of a ``RecognizerGCN``.

    Raises:
        KeyError: If a name is unknown, or the encoder or a part of the queue is not there.
    """
    renamed = _rename_all(
        {name.removeprefix(_STUDENT): value for name, value in state.items()},
        _NAMES,
        'is not a name of an official MAMP, STARS, linear or finetuned model',
    )
    if 'backbone.patch_embed.projection.weight' not in renamed:
        raise KeyError(
            'The official state dict has no encoder: "joints_embed.proj.weight" is missing.'
        )
    if 'head.queue.feats' in renamed:
        for name in ('queue_id', 'queue_ptr'):
            if name not in state:
                raise KeyError(f'The official state dict has "queue", but no "{name}".')
        feats = renamed['head.queue.feats'].t()  # theirs is (C, K)
        renamed['head.queue.feats'] = feats.contiguous()
        renamed['head.queue.ptr'] = renamed['head.queue.ptr'].reshape(1)
    return renamed


def to_official(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename our weights to the authors' names: the inverse of :func:`convert_official`.

    Args:
        state (dict[str, Tensor]): State dict of our ``MAMP``, ``STARS`` or of
            a ``RecognizerGCN`` with one of our heads.

    Returns:
        dict[str, Tensor]: State dict by the authors' names; that of a STARS
        model has its encoder and head under ``encoder_student.``.

    Raises:
        KeyError: If a name has no counterpart.
    """
    if any('.cross_attn.' in name for name in state):
        raise KeyError('The official models have no decoder like MAMPCrossDecoder.')
    names = [(ours, theirs) for theirs, ours in _NAMES]
    renamed = _rename_all(state, names, 'has no counterpart in the official models')
    if 'queue' not in renamed:
        return renamed
    renamed['queue'] = renamed['queue'].t().contiguous()  # theirs is (C, K)
    return {
        name if name.startswith('queue') else _STUDENT + name: value
        for name, value in renamed.items()
    }


def _rename_all(
    state: dict[str, Tensor], names: list[tuple[str, str]], problem: str
) -> dict[str, Tensor]:
    renamed = {name: _rename(name, names) for name in state}
    unknown = [name for name, new in renamed.items() if new is None]
    if unknown:
        raise KeyError(f'Each of these {problem}: {unknown}.')
    return {new: state[name] for name, new in renamed.items() if new is not None}


def _rename(name: str, names: list[tuple[str, str]]) -> str | None:
    for old, new in names:
        if name == old or old.endswith('.') and name.startswith(old):
            return new + name[len(old) :]
    return None


def read_checkpoint(filename: str, map_location: Any = 'cpu') -> dict:
    """Read a checkpoint without running anything that it holds.

    Args:
        filename (str): Path or URL of an mmengine checkpoint, or of one that holds weights alone,
            as they are or under ``model``, where the authors keep theirs; a ``.safetensors`` file;
            or an encoder that ships, ``stars://NAME``.
        map_location (str or torch.device): Where the tensors are wanted.

    Returns:
        dict: What it holds, the weights under ``state_dict``, without the ``module.`` of
        distributed training, and what is said of them, such as ``epoch``, under ``meta``.

    Raises:
        InputError: If the file is broken, or holds more than weights and plain values.
    """
    content = CheckpointLoader.load_checkpoint(filename, map_location, logger='current')
    state = weights_of(content)
    consume_prefix_in_state_dict_if_present(state, 'module.')
    return dict(content, state_dict=state, meta=content.get('meta') or {})


def check_checkpoint(
    state: dict[str, Tensor], model: nn.Module, filename: str, classifies: bool = False
) -> None:
    """Check that weights fit a model, whose other parts may be new.

    Args:
        state (dict[str, Tensor]): The weights.
        model (nn.Module): The model that is to take them.
        filename (str): Where the weights are from, for the message.
        classifies (bool): Whether the model's ``cls_head``, if it has one, must not be new either.

    Raises:
        InputError: If a tensor's shape differs, or a tensor of the encoder or the classifier is
            missing.
    """
    state = {name.removeprefix('module.'): value for name, value in state.items()}
    own = model.state_dict()
    differing = [
        f'{name}: {tuple(state[name].shape)} in the file, {tuple(own[name].shape)} in the model'
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if differing:
        raise InputError(
            filename,
            f'does not fit the model, {len(differing)} tensors have another shape: '
            f'{"; ".join(differing[:3])}',
            'Use the config that the file was trained with, or change sizes in `model`.',
        )
    encoder = [name for name in own if name.startswith('backbone.')]
    missing = [name for name in encoder if name not in state]
    if missing:
        hint = 'Use the config that the file was trained with.'
        if is_official(state):
            hint = (
                "These are the names of the authors' models. Convert the file: python "
                f'{_CONVERTER} {filename} OURS.pth'
            )
        elif len(missing) == len(encoder):
            hint = 'No encoder is in the file; give a checkpoint of MAMP or STARS.'
        raise InputError(
            filename,
            f"lacks {len(missing)} of the encoder's {len(encoder)} tensors, such as "
            f'"{missing[0]}"',
            hint,
        )
    head = [name for name, _ in model.named_parameters() if name.startswith('cls_head.')]
    missing = [name for name in head if name not in state]
    if classifies and missing:
        raise InputError(
            filename,
            f'holds no classifier: it lacks "{missing[0]}"',
            f'Train one first, by tools/train.py with this config and --cfg-options '
            f'load_from={filename}.',
        )
