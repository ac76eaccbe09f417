"""Each workaround: the fault without it, its effect, and when it is idle.

What has to be seen before ``stars_mm`` is imported runs in a new process.
"""

import os
import pickle
import re
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dist import utils as dist_utils
from mmengine.hooks import LoggerHook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import Runner

from stars_mm import compat

ROOT = Path(__file__).resolve().parents[1]


def run(code: str, path: str = '') -> subprocess.CompletedProcess:
    """Runs ``code`` in a new process, with ``path`` before other packages."""
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([path, *sys.path]))
    command = [sys.executable, '-c', textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, env=env)


def test_unfit_or_missing_package_gives_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmaction', None)
    with pytest.raises(ImportError, match='^stars_mm needs mmaction2>.* none is installed: pip '):
        compat.check_requirements()
    monkeypatch.setattr('mmengine.__version__', '1.0.0')
    with pytest.raises(ImportError, match='^stars_mm needs mmengine>.* 1.0.0 is installed: pip '):
        compat.check_requirements()


@pytest.mark.slow
def test_our_sentence_comes_before_mmactions_assertion(tmp_path):
    (tmp_path / 'mmcv.py').write_text('__version__ = "2.4.0"')
    error = run('import stars_mm', str(tmp_path)).stderr
    assert '\nImportError: stars_mm needs mmcv>=2.0.0rc4,<2.4, and 2.4.0' in error


@pytest.mark.slow
def test_newer_mmcv_is_not_refused():
    result = run("""
        import mmcv
        mmcv.__version__ = '2.3.6'
        import stars_mm, mmaction.models
        assert mmcv.__version__ == '2.3.6'
        """)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_a_program_that_imports_mmaction_itself(run_command, tmp_path):
    program = tmp_path / 'program.py'
    program.write_text("""if __name__ == '__main__':
    import sys
    print('stars_mm' in sys.modules, sys.argv[1:])
    import mmaction.models
""")
    done = run_command(sys.executable, '-m', 'stars_mm', program, 'a', '--b')
    assert done.stdout == "True ['a', '--b']\n"


@pytest.mark.parametrize('path', sorted((ROOT / 'tools').rglob('*.py')), ids=lambda path: path.stem)
def test_tools_import_stars_mm_before_mmaction(path):
    found = re.findall(r'^(?:import|from) (mmaction|stars_mm)\b', path.read_text(), re.M)
    assert found[:1] != ['mmaction']


@pytest.mark.slow
def test_what_has_to_be_there_before_mmaction():
    """The missing package and module, and AAGCN's initializer outside of a runner."""
    result = run("""
        import sys
        sys.modules['importlib_metadata'] = None
        import stars_mm
        from mmaction.utils import dependency
        import importlib.metadata, importlib_metadata
        assert importlib_metadata is importlib.metadata
        from mmaction.registry import MODELS
        from mmengine.registry import DefaultScope
        assert 'DRN' not in MODELS and 'BMN' in MODELS
        graph = dict(layout='coco', mode='spatial')
        model = MODELS.build(dict(type='AAGCN', graph_cfg=graph, base_channels=8))
        with DefaultScope.overwrite_default_scope('mmaction'):
            model.init_weights()
        assert (model.gcn[0].gcn.conv_d[0].bias == 0).all()
        from mmaction.models.localizers import DRN
        DRN()
        """)
    assert '\nImportError: DRN is missing' in result.stderr


def test_present_drn_is_left_alone(tmp_path, monkeypatch):
    folder, package = tmp_path / 'models/localizers/drn', 'mmaction.models.localizers.drn'
    folder.mkdir(parents=True)
    (folder / '__init__.py').touch()
    complete = types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(compat.importlib.util, 'find_spec', lambda name: complete)
    monkeypatch.delitem(sys.modules, package, raising=False)
    compat.provide_drn()
    assert package not in sys.modules


def test_torch_load_of_message_hub(tmp_path):
    """What an mmengine checkpoint holds beside the weights, as either numpy names it."""
    hub, path = MessageHub('test_compat'), tmp_path / 'epoch_1.pth'
    for value in (0.25, 0.75, np.float32(0.5)):
        hub.update_scalar('train/loss', value)
    hub.update_info('best_score', np.float64(0.5))
    torch.save(hub.state_dict(), path, _use_new_zipfile_serialization=False)
    data, ours = path.read_bytes(), b'numpy._core.' if hasattr(np, '_core') else b'numpy.core.'
    assert ours in data
    for name in (b'numpy._core.', b'numpy.core.'):
        path.write_bytes(data.replace(ours, name))
        loss = torch.load(path)['log_scalars']['train/loss']
        assert (loss.mean(), loss.statistics('max')) == (0.5, 0.75)


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_torch_load_stays_safe(tmp_path, monkeypatch):
    """A type more on its list is a decision, not an accident."""
    for call in (Call(getattr, np.ndarray, 'tofile'), Call(eval, '1')):
        torch.save(call, tmp_path / 'strange.pth')
        with pytest.raises(pickle.UnpicklingError):
            torch.load(tmp_path / 'strange.pth')
    added = []
    monkeypatch.setattr(compat, '_loads_message_hub', lambda: False)
    monkeypatch.setattr(torch.serialization, 'add_safe_globals', added.extend)
    compat.allow_checkpoint_types()
    names = {name for _, name in added}
    assert not {np.ndarray, np.dtype, HistoryBuffer} & {function for function, _ in added}
    numpys = [f'numpy.{core}.multiarray' for core in ('_core', 'core')]
    functions = {f'{numpy}.{name}' for numpy in numpys for name in ('_reconstruct', 'scalar')}
    history = 'mmengine.logging.history_buffer.HistoryBuffer'
    assert names == functions | {history, 'builtins.getattr', 'numpy.dtype', 'numpy.ndarray'}


def test_apply_twice_changes_nothing_nor_what_is_mended_upstream(monkeypatch):
    inits = [f'_init_dist_{name}' for name in ('pytorch', 'mpi', 'slurm')]
    places = [(dist_utils, name) for name in inits]
    places += [(Runner, 'wrap_model'), (LoggerHook, 'after_test_epoch')]

    def patched():
        return [getattr(*place) for place in places]

    def mended(*args):
        pass

    before = patched()
    compat.apply()
    assert patched() == before
    for place in places[:4]:
        monkeypatch.setattr(*place, mended)
    compat.apply()
    assert patched() == [mended] * 4 + before[4:]


@pytest.mark.parametrize(
    'on_cpu, asked, given', [(True, 'nccl', 'gloo'), (True, 'mpi', 'mpi'), (False, 'nccl', 'nccl')]
)
def test_backend(monkeypatch, on_cpu, asked, given):
    calls = []
    monkeypatch.setattr(compat, 'no_accelerator', lambda: on_cpu)
    monkeypatch.setattr(compat.atexit, 'register', lambda function: None)
    monkeypatch.setattr(torch.cuda, 'set_device', lambda device: calls.append(device))

    def init(backend, timeout):
        torch.cuda.set_device(3)
        calls.append((backend, timeout))

    compat._on_cpu_by_gloo(init)(asked, timeout=9)
    assert calls == ([] if on_cpu else [3]) + [(given, 9)]
    torch.cuda.set_device(5)
    assert calls[-1] == 5


def test_only_the_first_process_writes_test_results(monkeypatch):
    calls = []
    monkeypatch.setattr(LoggerHook, 'after_test_epoch', lambda *args: calls.append(args))
    compat.write_test_results_once()
    hook = LoggerHook()
    for main in (False, True):
        monkeypatch.setattr('mmengine.dist.utils.is_main_process', lambda: main)
        hook.after_test_epoch('runner', dict(acc=main))
    assert calls == [(hook, 'runner', dict(acc=True))]


def test_histories_stop_growing():
    """What an iteration copies does not depend on how many there were."""
    hub = MessageHub('test_histories')
    many = compat.HISTORY_LENGTH + 7
    for value in range(many):
        hub.update_scalar('train/loss', value)
    history, counts = hub.get_scalar('train/loss').data
    assert len(history) == len(counts) == compat.HISTORY_LENGTH
    assert history[-1] == many - 1 and history[0] == 7
    assert hub.get_scalar('train/loss').mean(20) == many - 10.5
    assert HistoryBuffer([1.0], [1], max_length=10**6).max_length == 10**6


def test_model_wrapper_config(monkeypatch):
    """What reaches mmengine's own ``wrap_model``."""
    reached, module = [], torch.nn.Module()
    monkeypatch.setattr(Runner, 'wrap_model', lambda self, cfg, model: reached.append(cfg) or model)
    monkeypatch.setattr(compat, '_names', lambda function: ('device_ids',))
    compat.wrap_models_without_gpu()
    runner = types.SimpleNamespace(distributed=True, cfg=dict(find_unused_parameters=True))
    own = dict(type='MMDistributedDataParallel', static_graph=True)
    for on_cpu in (True, False):
        monkeypatch.setattr(compat, 'no_accelerator', lambda: on_cpu)
        for asked in (None, own):
            Runner.wrap_model(runner, asked, module)
    default = dict(type=own['type'], broadcast_buffers=False, find_unused_parameters=True)
    assert reached == [{**default, 'device_ids': None}, {**own, 'device_ids': None}, None, own]


@pytest.mark.slow
def test_no_thread_of_gloo_is_left_at_exit():
    """One that still runs may abort the process, seldom and at random."""
    result = run("""
        import atexit, os
        os.environ.update(CUDA_VISIBLE_DEVICES='', RANK='0', LOCAL_RANK='0', WORLD_SIZE='1',
                          MASTER_ADDR='127.0.0.1', MASTER_PORT='0')

        def print_new():
            print(len(set(os.listdir('/proc/self/task')) - others))

        atexit.register(print_new)  # called last, after what stars_mm registers
        import stars_mm, torch
        from types import SimpleNamespace
        from mmengine.dist import broadcast_object_list, init_dist
        from mmengine.runner import Runner
        linear = torch.nn.Linear(2, 2)
        linear(torch.ones(1, 2)).sum().backward()
        others = set(os.listdir('/proc/self/task'))
        init_dist('pytorch')
        runner = SimpleNamespace(distributed=True, cfg={})
        model = Runner.wrap_model(runner, None, linear)
        model(torch.ones(1, 2)).sum().backward()
        broadcast_object_list([1])
        print_new()
    """)
    assert result.returncode == 0, result.stderr
    before, after = map(int, result.stdout.split())
    assert before > 0 and after == 0
