"""Makes the released mmengine and mmaction2 work on today's stack.

Every workaround is one function. Each tests for the fault itself before it
acts, so that it does nothing once upstream is mended, and may be called more
than once. :func:`apply` runs them all; it is called when ``stars_mm`` is
imported, which a config's ``custom_imports`` does before anything is built.
"""

import atexit
import contextlib
import functools
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import inspect
import io
import os
import pickle
import sys
import time
import types
import warnings
import weakref

MMCV = 'pip uninstall -y mmcv mmcv-lite && pip install "mmcv-lite>=2.1,<2.2"'
#: The first mmcv that mmaction2 1.2.0 refuses.
MMCV_BOUND = '2.2.0'
#: import name, distribution, versions that work, what to type. The maintained forks onedl-mmengine
#: and onedl-mmcv have the same import names.
REQUIREMENTS = (
    ('mmengine', 'mmengine', '>=0.10,<1', 'pip install "mmengine>=0.10.7,<1"'),
    ('mmcv', 'mmcv', '>=2.0.0rc4,<2.4', MMCV),
    ('mmaction', 'mmaction2', '>=1.2,<2', 'pip install "mmaction2>=1.2,<2"'),
)

#: Logged numbers that are kept of each kind, more than an epoch of a known data set has iterations.
HISTORY_LENGTH = 10000

#: Models that DDP wraps on the CPU, for the end of the process.
_WRAPPED_MODELS = weakref.WeakSet()


def check_requirements() -> None:
    """Checks that mmengine, mmcv and mmaction2 are there and fit.

    mmaction2's own import fails on an unfit mmcv with an assertion, so it is looked at last.

    Raises:
        ImportError: One sentence that names the version needed and the command that installs it.
    """
    for module, name, versions, command in REQUIREMENTS:
        needed = f'stars_mm needs {name}{versions}'
        if importlib.util.find_spec(module) is None:
            raise ImportError(f'{needed}, and none is installed: {command}')
        with _mmcv_in_bounds() if module == 'mmaction' else contextlib.nullcontext():
            found = importlib.import_module(module).__version__

        from packaging.specifiers import SpecifierSet

        if not SpecifierSet(versions).contains(found, prereleases=True):
            raise ImportError(f'{needed}, and {found} is installed: {command}')


@contextlib.contextmanager
def _mmcv_in_bounds():
    """mmaction2 1.2.0 refuses mmcv from 2.2.0 on, by its version and for no fault.

    While mmaction2 is imported, a newer mmcv, such as the maintained fork onedl-mmcv, tells the
    last version below that bound. (mmaction2 is not maintained: no report of it is open.)
    """
    import mmcv
    from packaging.version import Version

    found = mmcv.__version__
    if Version(found) >= Version(MMCV_BOUND):
        mmcv.__version__ = '2.1.999'
    try:
        yield
    finally:
        mmcv.__version__ = found


def provide_importlib_metadata() -> None:
    """mmaction2 1.2.0 imports ``importlib_metadata`` without declaring it.

    The standard library has had the same functions since Python 3.8.
    """
    if importlib.util.find_spec('importlib_metadata') is None:
        sys.modules['importlib_metadata'] = importlib.metadata


def provide_drn() -> None:
    """mmaction2 #2714: its wheel lacks a package that it imports.

    ``mmaction.models`` cannot be imported without ``localizers/drn``. The
    stand-in can be imported, is not registered, and cannot be built.
    """
    package = 'mmaction.models.localizers.drn'
    # find_spec(package) would import mmaction.models, which is what fails.
    paths = importlib.util.find_spec('mmaction').submodule_search_locations
    folders = [os.path.join(path, 'models', 'localizers') for path in paths]
    if package in sys.modules or importlib.machinery.PathFinder.find_spec('drn', folders):
        return

    class DRN:
        def __init__(self, *args, **kwargs):
            raise ImportError(
                'DRN is missing from the mmaction2 that is installed (mmaction2 #2714): install '
                'mmaction2 from its sources.'
            )

    for name in (package, f'{package}.drn'):
        module = sys.modules[name] = types.ModuleType(name)
        module.DRN = DRN


def allow_checkpoint_types() -> None:
    """mmengine #1655: ``torch.load`` refuses mmengine's own checkpoints.

    Since torch 2.6 only listed types are unpickled. An mmengine checkpoint
    holds its message hub: numbers of numpy, and ``HistoryBuffer`` with arrays.
    These and no others are added to the list, by constructors that check. It is for those who
    call ``torch.load``: mmengine's loaders are ours, ``utils/checkpoint_sources.py``.
    """
    import torch

    if _loads_message_hub():
        return
    from stars_mm.utils.checkpoint_types import MESSAGE_HUB

    torch.serialization.add_safe_globals([(item, name) for name, item in MESSAGE_HUB.items()])


def no_accelerator() -> bool:
    """Whether mmengine puts its models on the CPU."""
    from mmengine.device import get_device

    return get_device() == 'cpu'


def start_processes_without_gpu() -> None:
    """mmengine starts several processes on GPUs only.

    It calls ``torch.cuda.set_device`` whatever the backend, and its default
    backend is NCCL. Without any accelerator, the processes use gloo and no
    device is chosen. (No report of it upstream is known.)
    """
    from mmengine.dist import utils

    for name in ('_init_dist_pytorch', '_init_dist_mpi', '_init_dist_slurm'):
        init = getattr(utils, name, None)
        if 'set_device' in _names(init) and not hasattr(init, '__wrapped__'):
            setattr(utils, name, _on_cpu_by_gloo(init))


def wrap_models_without_gpu() -> None:
    """mmengine hands ``device_ids=[LOCAL_RANK]`` to DDP, also on the CPU.

    DDP refuses device ids for a model on the CPU, so there they are left out. (No report of it
    upstream is known.) The wrapped model is noted for :func:`_leave_process_group`.
    """
    from mmengine.runner import Runner

    original = Runner.wrap_model
    if 'device_ids' not in _names(original) or hasattr(original, '__wrapped__'):
        return

    @functools.wraps(original)
    def wrap_model(self, model_wrapper_cfg, model):
        if not (self.distributed and no_accelerator()):
            return original(self, model_wrapper_cfg, model)
        model_wrapper_cfg = _without_device_ids(self.cfg, model_wrapper_cfg)
        wrapped = original(self, model_wrapper_cfg, model)
        _WRAPPED_MODELS.add(wrapped)
        return wrapped

    Runner.wrap_model = wrap_model


def write_test_results_once() -> None:
    """mmengine's every process writes the JSON of a test, to one file.

    Two that write at once can leave a file that is no JSON. (No report of it upstream is known.)
    """
    from mmengine.dist import master_only
    from mmengine.hooks import LoggerHook

    original = LoggerHook.after_test_epoch
    if not hasattr(original, '__wrapped__'):
        LoggerHook.after_test_epoch = master_only(original)


def bound_histories() -> None:
    """mmengine copies all that it ever logged of a number to add to it.

    A million entries are kept, and an iteration adds to some five such numbers, so that an
    iteration takes the longer, the more there were. No more than the last epoch's are read, unless
    a log processor's ``custom_cfg`` asks for ``window_size='global'``, which is then the mean of
    those that are kept. (No report of it upstream is known.)
    """
    from mmengine.logging import HistoryBuffer

    init = HistoryBuffer.__init__
    *defaults, max_length = init.__defaults__ or (0,)
    if inspect.getfullargspec(init).args[-1] == 'max_length' and max_length > HISTORY_LENGTH:
        init.__defaults__ = (*defaults, HISTORY_LENGTH)


def silence_missing_attention() -> None:
    """mmcv-lite warns that it lacks ``MultiScaleDeformableAttention``, which none of ours needs.

    It does so once, when mmaction2 imports the module, which is therefore imported here.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')
        importlib.import_module('mmcv.cnn.bricks.transformer')


def register_conv_branch() -> None:
    """mmaction2 looks for the initialiser of ``AAGCN`` where it is not.

    ``ConvBranch`` is registered by ``mmaction.engine.model``, the registry imports
    ``mmaction.models``: weights are initialised in a runner, which has imported the former for its
    hooks, and nowhere else. (No report of it upstream is known.)
    """
    from mmaction.registry import WEIGHT_INITIALIZERS

    if 'ConvBranch' not in WEIGHT_INITIALIZERS.module_dict:
        importlib.import_module('mmaction.engine.model')


def run_no_config_of_a_checkpoint() -> None:
    """mmengine's inferencers run the config in a checkpoint, which is Python, where none is given.

    With a config, they run that alone. (No report of it upstream is known.)
    """
    from mmengine.infer import BaseInferencer

    original = BaseInferencer._init_model
    if 'fromstring' not in _names(original):
        return

    @functools.wraps(original)
    def _init_model(self, cfg, weights, *args, **kwargs):
        if not cfg:
            raise ValueError(
                f'{weights}: give its config, too. The one in a checkpoint is Python and would run.'
            )
        return original(self, cfg, weights, *args, **kwargs)

    BaseInferencer._init_model = _init_model


def apply() -> None:
    """Runs every workaround."""
    provide_importlib_metadata()
    provide_drn()
    silence_missing_attention()
    register_conv_branch()
    allow_checkpoint_types()
    run_no_config_of_a_checkpoint()
    start_processes_without_gpu()
    wrap_models_without_gpu()
    write_test_results_once()
    bound_histories()


def _loads_message_hub() -> bool:
    """Whether ``torch.load`` reads what a message hub holds."""
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    file = io.BytesIO()
    torch.save([HistoryBuffer([0.5], [1]), np.float32(0.5)], file)
    file.seek(0)
    try:
        torch.load(file)
    except pickle.UnpicklingError:
        return False
    return True


def _names(function) -> tuple:
    """The names and keywords that a function's own code uses."""
    code = getattr(function, '__code__', None)
    if code is None:
        return ()
    return sum((c for c in code.co_consts if isinstance(c, tuple)), code.co_names + code.co_consts)


def _on_cpu_by_gloo(init):
    """``init(backend, …)`` with gloo and without a device on the CPU."""

    @functools.wraps(init)
    def wrapped(backend='nccl', *args, **kwargs):
        if not no_accelerator():
            init(backend, *args, **kwargs)
            return
        with _no_set_device():
            init('gloo' if backend == 'nccl' else backend, *args, **kwargs)
        atexit.register(_leave_process_group)

    return wrapped


@contextlib.contextmanager
def _no_set_device():
    """Lets ``torch.cuda.set_device`` do nothing for a moment."""
    import torch

    set_device = torch.cuda.set_device
    torch.cuda.set_device = lambda device: None
    try:
        yield
    finally:
        torch.cuda.set_device = set_device


def _leave_process_group() -> None:
    """Ends gloo's threads, which may abort a process that exits with them.

    A thread that frees the tensors of the last collective needs the interpreter; before Python 3.14
    it is killed if that has gone, and with it the process: ``terminate called without an active
    exception``. The threads end with the process group, which every DDP model holds on to.
    """
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    for wrapped in _WRAPPED_MODELS:
        for module in wrapped.modules():
            if isinstance(module, DistributedDataParallel):
                for name in ('reducer', 'logger', 'process_group'):
                    module.__dict__.pop(name, None)
    if distributed.is_initialized():
        # the end of a group in torch 2.6 waits for such a thread and lets it have no interpreter
        time.sleep(0.2)
        distributed.destroy_process_group()


def _without_device_ids(cfg, wrapper_cfg) -> dict:
    """A config of the DDP wrapper that mmengine would build, for the CPU."""
    from mmengine.registry import MODEL_WRAPPERS
    from torch.nn.parallel import DistributedDataParallel

    if wrapper_cfg is None:  # the arguments that Runner.wrap_model gives by default
        unused = cfg.get('find_unused_parameters', False)
        wrapper_cfg = dict(broadcast_buffers=False, find_unused_parameters=unused)
    wrapper_cfg = dict(type='MMDistributedDataParallel') | dict(wrapper_cfg)
    if issubclass(MODEL_WRAPPERS.get(wrapper_cfg['type']), DistributedDataParallel):
        wrapper_cfg.setdefault('device_ids', None)
    return wrapper_cfg
