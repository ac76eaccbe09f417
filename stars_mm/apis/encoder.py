"""An encoder as plain data, with all that is needed to feed it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from mmaction.registry import MODELS, TRANSFORMS
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks

from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.layouts.known import ALIASES, LAYOUTS
from stars_mm.utils.checkpoint import check_checkpoint
from stars_mm.utils.checkpoint_sources import local_file
from stars_mm.utils.input_error import InputError, reading, shown
from stars_mm.utils.package_files import find_config, package_path
from stars_mm.utils.shipped_encoders import SCHEME, checkpoint_path, shipped_encoders
from stars_mm.utils.weights_file import read_weights

PREFIX = 'backbone.'
#: What a file may ask to be built. A registry finds more, such as functions by their import path.
MODEL_TYPES = (
    *('STARS', 'SimilarityHead', 'SkeletonTransformer', 'STGCN', 'AAGCN'),
    *('SkeletonPreprocessor', 'StreamPreprocessor'),
)
TRANSFORM_TYPES = (
    *('MapJoints', 'CenterSkeleton', 'ScaleSkeleton', 'TemporalCropResize', 'MotionTimeWarp'),
    *('FormatGCNInput', 'PreNormalize3D', 'PreNormalize2D', 'UniformSampleFrames', 'PoseDecode'),
    *('GenSkeFeat', 'JointToBone', 'ToMotion', 'MergeSkeFeat'),
)
#: The other words of a model's config: a registry imports any module that it is told of as a norm.
MODEL_WORDS = (
    *('joint', 'bone', 'motion', 'bone_motion', 'VC', 'MVC', 'BN', 'ReLU', '1x1', 'max'),
    *('spatial', 'stgcn_spatial', 'binary_adj', 'random', 'init', 'offset', 'importance'),
    *('unit_gcn', 'unit_aagcn', 'unit_tcn', 'mstcn', 'pre', 'post'),
)
#: What it may name as a layout, which would be a file otherwise.
LAYOUT_NAMES = (None, *LAYOUTS, *ALIASES)
_INDEX = 'model-index.yml'
#: The largest value of a weight: beyond, features may be infinite.
LARGEST = 1e9
#: The largest numbers in a stranger's config: by their keys, and of any other.
LIMITS = dict(num_clips=32, num_person=32, max_hop=32)
MAX_NUMBER = 4096


@dataclass
class PackedEncoder:
    """A frozen encoder and what is done to a clip before it: plain data that a file can hold.

    Args:
        name (str): What it is called.
        model (dict): Config of the :class:`STARS` that holds the encoder.
        pipeline (list[dict]): Transforms from a clip, ``keypoint`` (M, T, V, C), to what
            ``FormatGCNInput`` gives, (clips, M, T, V, C).
        weights (dict[str, Tensor]): Of the encoder, by names that begin with ``backbone.``.
    """

    name: str
    model: dict
    pipeline: list[dict]
    weights: dict[str, Tensor]

    @classmethod
    def load(cls, model: str | Path, checkpoint: str | Path | None = None) -> 'PackedEncoder':
        """An encoder of a config and a checkpoint, of a name of ``model-index.yml``, or of the
        package, ``stars://NAME``.

        Raises:
            ValueError, FileNotFoundError: Says which name or file is wrong, and what to do.
        """
        model = str(model)
        if not model.endswith('.py'):
            if model.startswith(SCHEME) and checkpoint is None:
                return cls._of_package(model)
            config, weights = _look_up(model)
            if weights and weights.startswith(SCHEME) and checkpoint is None:
                return cls._of_package(weights)
            model, checkpoint = config, checkpoint or weights
        if checkpoint is None:
            raise ValueError(f'{model}: no weights are known of it. Give a checkpoint.')
        return cls.from_config(Config.fromfile(find_config(model)), checkpoint)

    @classmethod
    def from_config(cls, cfg: Config, checkpoint: str | Path) -> 'PackedEncoder':
        """The backbone of a config's model, with a checkpoint's weights and the test pipeline."""
        where = cfg.filename or 'the config'
        if 'backbone' not in cfg.get('model', {}):
            raise ValueError(f'{where}: its model has no backbone. Give a config that trains one.')
        state, _ = read_weights(local_file(checkpoint))
        packed = cls(Path(str(checkpoint)).stem, *describe_encoder(cfg), state)
        module = packed._module()
        check_checkpoint(state, module, str(checkpoint))
        packed.weights = {
            name: state[name].float() for name in module.state_dict() if name.startswith(PREFIX)
        }
        with reading(checkpoint, 'It is damaged: get it anew, or take an earlier one.'):
            check_values({name: w.numpy() for name, w in packed.weights.items()})
        return packed

    @classmethod
    def _of_package(cls, model: str) -> 'PackedEncoder':
        path = checkpoint_path(model)
        name = model.removeprefix(SCHEME)
        known = shipped_encoders()[name]
        weights = {key: value.float() for key, value in read_weights(path)[0].items()}
        return cls(name, known['model'], known['pipeline'], weights)

    @property
    def layout(self) -> str | None:
        """str or None: The layout that clips are mapped to; None where they have to have the
        encoder's very joints."""
        steps = [step for step in self.pipeline if step['type'] == 'MapJoints']
        return get_layout(steps[0].get('target', 'common-15')).name if steps else None

    @property
    def num_joints(self) -> int | None:
        """int or None: V of the clips that the encoder itself takes, where its config says it."""
        return self.model['backbone'].get('num_joints')

    @property
    def in_channels(self) -> int:
        """int: C of the clips that the encoder itself takes."""
        return self.model['backbone'].get('in_channels', 3)

    def build(self) -> nn.Module:
        """The model with its weights, in evaluation mode."""
        module = self._module()
        module.load_state_dict(self.weights, strict=False)
        return module.eval().requires_grad_(False)

    def build_pipeline(self) -> Compose:
        """The transforms, to be called with a dict of ``keypoint`` (M, T, V, C) and so on."""
        with DefaultScope.overwrite_default_scope('mmaction'):
            return Compose([TRANSFORMS.build(step) for step in self.pipeline])

    def _module(self) -> nn.Module:
        with DefaultScope.overwrite_default_scope('mmaction'):
            return MODELS.build(Config(dict(model=self.model)).model)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Arrays that :meth:`from_arrays` takes back, the weights in half precision where that has
        numbers as large."""
        about = dict(name=self.name, model=self.model, pipeline=self.pipeline)
        arrays = {
            f'weights/{key}': (w.half() if w.half().isfinite().all() else w).numpy()
            for key, w in self.weights.items()
        }
        return dict(encoder=np.array(json.dumps(about)), **arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], source: str) -> 'PackedEncoder':
        """An encoder that may come from a stranger.

        Raises:
            InputError: If ``source`` asks for anything that is no part of an encoder, or for a
                model larger than its weights.
        """
        with reading(source, 'Get the file anew, or learn the recognizer again.'):
            check_values(arrays)
            about = json.loads(str(arrays['encoder']))
            weights = {
                key.removeprefix('weights/'): torch.from_numpy(np.asarray(arrays[key], np.float32))
                for key in arrays
                if key.startswith('weights/')
            }
            packed = cls(str(about['name']), about['model'], about['pipeline'], weights)
            check_types(packed.model, MODEL_TYPES, source)
            check_words(packed.model, source)
            for step in packed.pipeline:
                check_types(step, TRANSFORM_TYPES, source)
            check_sources([packed.model, packed.pipeline], source)
            check_numbers([packed.model, packed.pipeline], source)
            with no_more_than(weights, source):
                module = packed._module()
            check_checkpoint(weights, module, source)
            return packed


def describe_encoder(cfg: Config) -> tuple[dict, list[dict]]:
    """Model and pipeline of a config's encoder as :class:`PackedEncoder` holds them."""
    model = dict(cfg.model.to_dict())
    backbone = {key: value for key, value in model['backbone'].items() if key != 'init_cfg'}
    packed = dict(type='STARS', backbone=backbone, head=dict(type='SimilarityHead'))
    preprocessor = model.get('data_preprocessor')
    if preprocessor and preprocessor['type'] == 'StreamPreprocessor':
        packed['data_preprocessor'] = preprocessor
    steps = Config(dict(steps=cfg.test_dataloader.dataset.pipeline)).to_dict()['steps']
    steps = [step for step in steps if step['type'] != 'PackActionInputs']
    return json.loads(json.dumps(packed)), json.loads(json.dumps(steps))


def check_values(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError where an array is neither of text nor of fractions within ``LARGEST``."""
    for name, array in arrays.items():
        if array.dtype.kind not in 'fU':
            raise ValueError(f'{name!r} is of dtype {array.dtype}, no fractions and no text')
        if array.dtype.kind == 'f' and not (np.abs(array.astype(np.float64)) <= LARGEST).all():
            raise ValueError(f'{name!r} holds values that are not finite or beyond {LARGEST:g}')


def check_types(content: Any, allowed: tuple[str, ...], source: str) -> None:
    """Raise an InputError where a config has another ``type`` than those allowed, ``init_cfg``,
    which would open files, or ``_scope_``, of which a registry imports a module."""
    if isinstance(content, Mapping):
        kind = content.get('type')
        refused = [key for key in content if key == 'init_cfg' or key.startswith('_')]
        if ('type' in content and kind not in allowed) or refused:
            what = refused[0] if refused else f'type={kind!r}'
            raise InputError(source, f'asks for {what}, which is no part of an encoder: refused')
        content = list(content.values())
    if isinstance(content, (list, tuple)):
        for part in content:
            check_types(part, allowed, source)


def check_words(content: Any, source: str) -> None:
    """Raise an InputError where a model's config has a text that is no word of such configs, its
    layouts left out."""
    if isinstance(content, Mapping):
        content = [part for key, part in content.items() if key != 'layout']
    if isinstance(content, (list, tuple)):
        for part in content:
            check_words(part, source)
    elif isinstance(content, str) and content not in (*MODEL_TYPES, *MODEL_WORDS):
        raise InputError(source, f'asks for {shown(content)}, no part of an encoder: refused')


def check_sources(content: Any, source: str) -> None:
    """Raise an InputError where a part of a config names a layout that is a file."""
    if isinstance(content, Mapping):
        for key in ('source', 'target', 'layout'):
            layout = content.get(key, {})
            if not isinstance(layout, Mapping) and layout not in LAYOUT_NAMES:
                known = LAYOUT_NAMES[1:]
                raise InputError(source, f'{key}={layout!r:.80} is none of {known}: refused')
        content = list(content.values())
    if isinstance(content, (list, tuple)):
        for part in content:
            check_sources(part, source)


def check_numbers(content: Any, source: str, key: str = '') -> None:
    """Raise an InputError where a config has a number that no encoder needs."""
    if isinstance(content, Mapping):
        for name, part in content.items():
            check_numbers(part, source, name)
    elif isinstance(content, (list, tuple)):
        for part in content:
            check_numbers(part, source, key)
    elif isinstance(content, (int, float)) and not abs(content) <= LIMITS.get(key, MAX_NUMBER):
        limit = LIMITS.get(key, MAX_NUMBER)
        raise InputError(source, f'asks for {key}={content}, and {limit} is the most: refused')


@contextmanager
def no_more_than(weights: Mapping[str, Tensor], source: str) -> Iterator[None]:
    """A model that is built ends in an InputError once it has more than twice the weights that are
    there: before they are drawn, and thus before they take memory."""
    left = dict(
        values=2 * sum(value.numel() for value in weights.values()) + 1_000_000,
        tensors=2 * len(weights) + 1000,
    )

    def count(module: nn.Module, name: str, value: Tensor | None) -> None:
        left['values'] -= 0 if value is None else value.numel()
        left['tensors'] -= 1
        if min(left.values()) < 0:
            raise InputError(source, 'describes a model larger than its weights: refused')

    hooks = [
        module_hooks.register_module_parameter_registration_hook(count),
        module_hooks.register_module_buffer_registration_hook(count),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _look_up(name: str) -> tuple[str, str | None]:
    """Config and weights of a name of ``model-index.yml``."""
    models = yaml.safe_load(package_path(_INDEX).read_text(encoding='utf-8'))['Models']
    entries = {entry['Name']: entry for entry in models}
    if name not in entries:
        near = ', '.join(get_close_matches(name, entries, n=3, cutoff=0.3)) or 'none alike'
        ships = ', '.join(SCHEME + one for one in shipped_encoders())
        raise ValueError(
            f'model={name!r}: is no config (.py) and no name of {_INDEX} (there is {near}). The '
            f'encoders that ship are {ships}.'
        )
    return entries[name]['Config'], entries[name].get('Weights')
