"""Names in a config that nothing reads, and numbers that cannot be meant."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

import torch
from mmaction import registry
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import FUNCTIONS, Registry
from mmengine.runner import (
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    LogProcessor,
    Runner,
    TestLoop,
    ValLoop,
)
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

#: Keys of a config beside the arguments of mmengine's runner: what the runners, the tools and
#: ``Config`` itself read.
_OTHER_KEYS = (
    'runner_type stages compile needs_pretrained allow_random_init protocols custom_imports '
    'model_wrapper_cfg find_unused_parameters sync_bn activation_checkpointing '
    'efficient_conv_bn_eval'
).split()
KEYS = sorted({*inspect.signature(Runner.__init__).parameters, *_OTHER_KEYS} - {'self', 'cfg'})

#: Key → registry of the parts that it holds, wherever it stands.
_REGISTRIES: dict[str, Registry] = dict(
    model=registry.MODELS,
    data_preprocessor=registry.MODELS,
    init_cfg=registry.WEIGHT_INITIALIZERS,
    dataset=registry.DATASETS,
    datasets=registry.DATASETS,
    sampler=registry.DATA_SAMPLERS,
    batch_sampler=registry.DATA_SAMPLERS,
    collate_fn=FUNCTIONS,
    pipeline=registry.TRANSFORMS,
    transforms=registry.TRANSFORMS,
    optim_wrapper=registry.OPTIM_WRAPPERS,
    optimizer=registry.OPTIMIZERS,
    param_scheduler=registry.PARAM_SCHEDULERS,
    val_evaluator=registry.METRICS,
    test_evaluator=registry.METRICS,
    metrics=registry.METRICS,
    default_hooks=registry.HOOKS,
    custom_hooks=registry.HOOKS,
    train_cfg=registry.LOOPS,
    val_cfg=registry.LOOPS,
    test_cfg=registry.LOOPS,
    visualizer=registry.VISUALIZERS,
    vis_backends=registry.VISBACKENDS,
    log_processor=registry.LOG_PROCESSORS,
    model_wrapper_cfg=registry.MODEL_WRAPPERS,
)
#: Key → what is built where no ``type`` is named.
_DEFAULTS: dict[str, Callable] = dict(
    val_cfg=ValLoop,
    test_cfg=TestLoop,
    optim_wrapper=OptimWrapper,
    log_processor=LogProcessor,
    model_wrapper_cfg=MMDistributedDataParallel,
    randomness=Runner.set_randomness,
    compile=torch.compile,
)
_DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_DATALOADERS += ('bank_dataloader', 'dataloader')
_LOADER = (*inspect.signature(DataLoader).parameters, 'disable_subprocess_warning')
_LOADER += ('num_batch_per_epoch', 'worker_init_fn', 'type')
#: Key → all that it may hold.
_PLAIN: dict[str, tuple[str, ...]] = dict.fromkeys(_DATALOADERS, _LOADER) | dict(
    auto_scale_lr=('enable', 'base_batch_size'),
    env_cfg=('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
    mp_cfg=('mp_start_method', 'opencv_num_threads'),
)
#: The default hooks of mmengine itself.
MMENGINE_HOOKS = (
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
)
#: What those who build a part take out of its arguments.
_TAKEN_OUT: dict[str, tuple[str, ...]] = dict(
    optim_wrapper=('constructor', 'paramwise_cfg'),
    param_scheduler=('convert_to_iter_based',),
    default_hooks=('priority',),
    custom_hooks=('priority',),
    train_cfg=('by_epoch',),
)
#: Whole numbers, and those of them that must be positive; an ``interval`` may be −1, never.
_POSITIVE = (
    *('max_epochs', 'max_iters', 'batch_size', 'val_interval', 'num_batch_per_epoch'),
    *('accumulative_counts', 'prefetch_factor'),
)
_WHOLE = (*_POSITIVE, 'interval', 'val_begin', 'max_keep_ckpts', 'max_skips')
#: Of a config itself, what is True or False alone.
_SWITCHES = ('resume', 'allow_random_init', 'needs_pretrained', 'find_unused_parameters')
#: What bounds the gradients, and must be a positive number; below 0 it would turn them round.
_BOUNDS = dict(norm='max_norm', value='clip_value')
_NEAR = 0.85  # of difflib's ratio: one letter more, less or elsewhere
_READ = re.compile(r"paramwise_cfg(?:\.get\(|\[)'(\w+)'")


def check_config(cfg: Config) -> None:
    """Check the names and the plain numbers of a config, before anything is built.

    A part's arguments are those of its class; what a class takes by ``**kwargs`` is an error only
    where it is nearly the name of a known one, and so is a key at the top, where files keep
    variables of their own.

    Raises:
        ValueError: Names the file, and for each fault its key, the value and the nearest name.
    """
    keys = [key for key in KEYS if key != 'stages']  # see check_stages
    faults = [*_near_keys(cfg), *_check_switches(cfg, _SWITCHES)]
    _refuse(cfg, [*faults, *(fault for key in keys for fault in _check(cfg, key))])


def check_options(options: Mapping[str, Any], cfg: Config) -> None:
    """Check the keys of settings that are to replace some of a config's, dotted or nested: unlike
    its variables, they have to be read by someone.

    Raises:
        ValueError: Names the file, the keys, and for each the nearest one.
    """
    unknown = sorted({key.split('.')[0] for key in options} - set(KEYS))
    faults = []
    for key in unknown:
        what = (
            'is a variable of the file, which is read no more' if key in cfg else 'does not exist'
        )
        faults.append(f'the option {key!r} {what}.{_nearest(key, KEYS, 0.6)}')
    _refuse(cfg, faults)


def _refuse(cfg: Config, faults: list[str]) -> None:
    if faults:
        raise ValueError('\n'.join(f'{cfg.filename or "config"}: {fault}' for fault in faults))


def _near_keys(cfg: Config) -> Iterator[str]:
    for key in sorted(set(cfg) - set(KEYS)):
        near = get_close_matches(key, KEYS, 1, _NEAR)
        if near:
            yield (
                f'{key} is read by nothing. Do you mean {near[0]!r}? A variable of your own needs '
                'another name.'
            )


def _check(holder: Mapping, key: str, inherited: Registry | None = None, at: str = '') -> Iterator:
    """Faults of what ``holder`` has under a key, which is at a dotted place; parts under keys that
    nobody knows are of the registry of the part around them."""
    value, at = holder.get(key), f'{at}{key}'
    if inherited is not None and key.endswith('_cfg') and key != 'init_cfg':
        return  # others' settings, which no registry builds
    place = _REGISTRIES.get(key, inherited)
    if key == 'default_hooks' and isinstance(value, Mapping):
        for name, hook in value.items():
            yield from _check_part(hook, key, place, f'{at}.{name}')
            if hook is not None and name not in MMENGINE_HOOKS and 'type' not in hook:
                yield f'{at}.{name} has no type.{_nearest(name, MMENGINE_HOOKS)}'
        return
    for number, part in enumerate(value if isinstance(value, (list, tuple)) else [value]):
        where = f'{at}.{number}' if isinstance(value, (list, tuple)) else at
        yield from _check_part(part, key, place, where)


def _check_part(part: Any, key: str, place: Registry | None, at: str) -> Iterator[str]:
    if not isinstance(part, Mapping):
        return
    built = _DEFAULTS.get(key) if 'type' not in part else part['type']
    if key == 'train_cfg' and built is None:
        built = EpochBasedTrainLoop if part.get('by_epoch', True) else IterBasedTrainLoop
    if isinstance(built, str) and key not in _PLAIN:
        built, name = (place.get(built) if place is not None else None), built
        if built is None and place is not None:
            near = _nearest(name, _names(place), 0.5 if key in _REGISTRIES else 0.8)
            if near or key in _REGISTRIES:
                yield f"{at}.type = '{name}' is not known.{near}"
    yield from _check_names(part, key, built, at)
    yield from _check_numbers(part, at)
    inherited = place if place is registry.MODELS else None  # its parts have many names
    for child in part:
        yield from _check(part, child, inherited, f'{at}.')


def _check_names(part: Mapping, key: str, built: Any, at: str) -> Iterator[str]:
    known: set[str] = set()
    all_known = key in _PLAIN
    if all_known:
        known = set(_PLAIN[key])
    elif callable(built):
        found, all_known = arguments_of(built)
        known = found | {'type', '_scope_', '_delete_', *_TAKEN_OUT.get(key, ())}
        yield from _check_switches(part, switches_of(built), f'{at}.')
    elif key == 'clip_grad':
        by_value = part.get('type', 'norm') == 'value'
        found, all_known = arguments_of(clip_grad_value_ if by_value else clip_grad_norm_)
        known = found | {'type'}
        yield from _check_clipping(part, at)
    for name in part if known else ():
        if name not in known and (all_known or get_close_matches(name, known, 1, _NEAR)):
            owner = getattr(built, '__name__', key)
            hint = _nearest(name, known - {'self', 'type', '_scope_', '_delete_'})
            yield f'{at}.{name} = {part[name]!r}: {owner} has no {name!r}.{hint}'
    if key == 'optim_wrapper':
        yield from _check_paramwise(part, at)


def _check_paramwise(part: Mapping, at: str) -> Iterator[str]:
    """What a constructor does not read it leaves out in silence."""
    options = part.get('paramwise_cfg') or {}
    name = part.get('constructor') or DefaultOptimWrapperConstructor.__name__
    constructor = registry.OPTIM_WRAPPER_CONSTRUCTORS.get(name) if isinstance(name, str) else name
    if constructor is None:
        names = _names(registry.OPTIM_WRAPPER_CONSTRUCTORS)
        yield f'{at}.constructor = {name!r} is not known.{_nearest(name, names)}'
        return
    known = _options_of(constructor)
    for option in options:
        if option not in known and get_close_matches(option, known, 1, _NEAR):
            yield (
                f'{at}.paramwise_cfg.{option} = {options[option]!r} is read by nothing.'
                f'{_nearest(option, known)}'
            )


@cache
def _options_of(constructor: type) -> set[str]:
    """What is read of ``paramwise_cfg``."""
    classes = [one for one in constructor.__mro__ if one is not object]
    return {option for one in classes for option in _READ.findall(inspect.getsource(one))}


def _check_numbers(part: Mapping, at: str) -> Iterator[str]:
    for name in _WHOLE:
        value = part.get(name)
        if name == 'interval' and 'hooks' not in at:
            continue  # of some part
        if value is None and (name != 'batch_size' or name not in part):
            continue
        if type(value) is not int:
            yield f'{at}.{name} = {value!r} is no whole number.'
        elif name in _POSITIVE and value <= 0 or name == 'interval' and value == 0:
            yield f'{at}.{name} = {value!r} must be 1 or more.'


def _check_clipping(part: Mapping, at: str) -> Iterator[str]:
    name = _BOUNDS.get(part.get('type', 'norm'))
    value = part.get(name) if name else 1
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        yield f'{at}.{name} = {value!r} must be a number above 0.'


def _check_switches(part: Mapping, names: Iterable[str], at: str = '') -> Iterator[str]:
    """A text in the place of True or False counts as True."""
    for name in names:
        if isinstance(part.get(name), str):
            yield f'{at}{name} = {part[name]!r} is neither True nor False.'


@cache
def arguments_of(part: Callable) -> tuple[set[str], bool]:
    """Names of the arguments of a class or function, with those of the classes that it hands its
    ``**kwargs`` on to, and whether it takes no others."""
    inits = [part]
    if inspect.isclass(part):
        inits = [one.__init__ for one in part.__mro__ if '__init__' in vars(one)]
    names: set[str] = set()
    for init in inits:
        parameters = inspect.signature(init).parameters.values()
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        names |= {one.name for one in parameters if one.kind in named}
        open_end = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)
        if init is inits[0]:
            takes_others = open_end
        if not open_end:
            break
    return names, not takes_others


@cache
def switches_of(part: Callable) -> set[str]:
    """Names of the arguments of a class or function that are True or False alone."""
    parameters = inspect.signature(part).parameters.values()
    return {one.name for one in parameters if one.annotation in (bool, 'bool')}


def _names(place: Registry | None) -> set[str]:
    names: set[str] = set()
    while place is not None:
        names |= set(place.module_dict)
        place = place.parent
    return names


def _nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The nearest of the known names, as the end of a message; all of them where none is near and
    they are few."""
    known = sorted(known)
    near = get_close_matches(name, known, 1, cutoff)
    if near:
        return f' Do you mean {near[0]!r}?'
    return f' There are {", ".join(known)}.' if len(known) < 30 else ''
