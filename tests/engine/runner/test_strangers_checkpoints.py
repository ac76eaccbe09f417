"""Files of strangers at every way in: by path and by URL, nothing of them runs."""

import functools
import http.server
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import mmengine.runner
import pytest
import torch
from mmaction.apis import ActionRecogInferencer, init_recognizer
from mmaction.registry import MODELS
from mmengine.runner import CheckpointLoader, load_checkpoint

from stars_mm.apis import SkeletonInferencer
from stars_mm.apis.encoder import PackedEncoder
from stars_mm.apis.export import export
from stars_mm.evaluation.protocols.features import Encoder
from stars_mm.utils import checkpoint_sources
from stars_mm.utils.checkpoint import read_checkpoint
from stars_mm.utils.checkpoint_sources import load_from_file, local_file
from stars_mm.utils.input_error import InputError
from stars_mm.utils.weights_file import file_sha256

HEAD = b'HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n123'


class Harmful:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('server')


@pytest.fixture(scope='module')
def url(folder, tmp_path_factory):
    """The folder by http, and torch's folder of downloads elsewhere."""
    patch = pytest.MonkeyPatch()
    patch.setenv('no_proxy', '127.0.0.1')
    patch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')  # switches torch's safe loader off
    patch.setattr(torch.hub, '_hub_dir', str(tmp_path_factory.mktemp('hub')))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.func.log_message = lambda *args: None
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()
    patch.undo()


@pytest.fixture(scope='module', params=[pytest.param('new', marks=pytest.mark.slow), 'old'])
def strangers_file(request, folder, trained) -> Path:
    """A whole checkpoint, to which something is added, in either format of torch."""
    content = torch.load(trained / 'epoch_4.pth')
    content['meta']['more'] = Harmful(folder / 'it_ran')
    path = folder / f'{request.param}.pth'
    is_zip = request.param == 'new'
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    return path


def test_nothing_runs(strangers_file, url, load_cfg, build, recipe, load_tool, tmp_path):
    converter = load_tool('model_converters/convert_checkpoint.py')
    publisher = load_tool('model_converters/publish_encoder.py')
    cfg = load_cfg(tmp_path)
    model = MODELS.build(cfg.model)

    def run(**options):
        run_cfg = load_cfg(tmp_path / 'run', options)
        run_cfg.pop('stages')
        return build(run_cfg)

    def init(checkpoint):
        pretrained = dict(type='Pretrained', checkpoint=checkpoint)
        MODELS.build(dict(cfg.model, init_cfg=pretrained)).init_weights()

    def init_backbone(checkpoint):
        pretrained = dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone.')
        MODELS.build(dict(cfg.model.backbone, init_cfg=pretrained)).init_weights()

    ways = [
        CheckpointLoader.load_checkpoint,
        mmengine.runner.checkpoint._load_checkpoint,
        functools.partial(load_checkpoint, model),
        functools.partial(init_recognizer, cfg, device='cpu'),
        read_checkpoint,
        Encoder.load,
        functools.partial(PackedEncoder.from_config, cfg),
        functools.partial(SkeletonInferencer, str(recipe)),
        lambda checkpoint: export(str(recipe), tmp_path / 'a.onnx', checkpoint),
        init,
        init_backbone,
        lambda checkpoint: run(load_from=checkpoint).train(),
        lambda checkpoint: run(load_from=checkpoint).test(),
        lambda checkpoint: run(load_from=checkpoint, resume=True).train(),
        lambda checkpoint: converter.main([checkpoint, str(tmp_path / 'b.pth')]),
        lambda checkpoint: publisher.main([checkpoint, str(recipe), 'name'], tmp_path),
    ]
    name = strangers_file.name
    for way in ways if name == 'new.pth' else ways[:7]:
        for checkpoint in (str(strangers_file), f'{url}/{name}'):
            with pytest.raises(InputError, match=f'{name}: refused, it holds objects of .*open'):
                way(checkpoint)
            assert not (strangers_file.parent / 'it_ran').exists(), way
    torch.load(strangers_file, weights_only=False)
    assert (strangers_file.parent / 'it_ran').exists()  # the file does what it is here for
    (strangers_file.parent / 'it_ran').unlink()


@pytest.mark.parametrize('strangers_file', ['new'], indirect=True)
def test_every_scheme_has_the_one_reader(strangers_file, url, monkeypatch):
    """Names of mmengine's collections too, and stores, which are not there."""
    assert set(CheckpointLoader._schemes.values()) == {load_from_file}
    there = f'{url}/{strangers_file.name}'
    monkeypatch.setattr(
        checkpoint_sources, '_COLLECTIONS', dict.fromkeys(_COLLECTIONS, lambda: dict(net=there))
    )
    for prefix in _COLLECTIONS:
        with pytest.raises(InputError, match='refused, it holds objects of'):
            CheckpointLoader.load_checkpoint(f'{prefix}net')
        with pytest.raises(InputError, match="there is no 'ne' among 1 names"):
            CheckpointLoader.load_checkpoint(f'{prefix}ne')
    for path in ('pavi://a/b.pth', 's3://a/b.pth', 'petrel:s3://a/b.pth'):
        with pytest.raises(InputError, match=path):
            CheckpointLoader.load_checkpoint(path)


_COLLECTIONS = dict(checkpoint_sources._COLLECTIONS)


def test_an_inferencer_does_not_run_the_config_of_a_checkpoint(trained):
    with pytest.raises(ValueError, match=r'epoch_4\.pth: give its config'):
        ActionRecogInferencer(None, str(trained / 'epoch_4.pth'))


def test_resuming_does_not_run_the_config_of_an_old_checkpoint(trained, load_cfg, build, tmp_path):
    """mmengine runs the text that mmcv 1 left in ``meta``."""
    content = torch.load(trained / 'epoch_4.pth')
    content['meta']['config'] = f'open({str(tmp_path / "it_ran")!r}, "w")'
    torch.save(content, tmp_path / 'a.pth')
    cfg = load_cfg(tmp_path / 'run', dict(load_from=str(tmp_path / 'a.pth'), resume=True))
    cfg.pop('stages')
    build(cfg).train()
    assert not (tmp_path / 'it_ran').exists()


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda c: c['meta'].pop('iter'), "'iter'"),
        (lambda c: c['optimizer']['param_groups'][0].update(lr='1'), 'optimizer lr is not'),
        (lambda c: c['optimizer']['state'][1].update(exp_avg=torch.zeros(1)), 'no exp_avg of shap'),
        (lambda c: c['param_schedulers'][0].update(by_epoch='a'), 'schedulers by_epoch is not'),
        (lambda c: c['param_schedulers'][0].update(step=3), r"schedulers have \['step'\]"),
    ],
)
def test_a_resumed_training_is_of_its_form(change, message, trained, load_cfg, build, tmp_path):
    content = torch.load(trained / 'pretrain/epoch_4.pth')
    change(content)
    torch.save(content, tmp_path / 'a.pth')
    options = dict(load_from=str(tmp_path / 'a.pth'), resume=True)
    with pytest.raises(InputError, match=f'a.pth: .*({message})'):
        build(load_cfg(tmp_path / 'run', options, 'mamp')).train()


def test_a_url_is_fetched_once_and_its_hash_checked(folder, url, trained):
    content = (trained / 'epoch_4.pth').read_bytes()
    (folder / 'a.pth').write_bytes(content)
    digest = file_sha256(folder / 'a.pth')[:8]
    named, wrong = f'a-{digest}.pth', f'a-{"0" * 8}.pth'
    for name in (named, wrong, 'a-20260115.pth'):
        (folder / name).write_bytes(content)
    first = load_from_file(f'{url}/{named}')
    assert first['message_hub'].keys() == torch.load(folder / 'a.pth')['message_hub'].keys()
    (folder / named).unlink()
    second = load_from_file(f'{url}/{named}')
    torch.testing.assert_close(first['state_dict'], second['state_dict'], rtol=0, atol=0)
    load_from_file(f'{url}/a-20260115.pth')  # a date
    hub = Path(torch.hub.get_dir(), 'checkpoints')
    with pytest.raises(InputError, match=rf'{wrong}: .*hash in its name'):
        load_from_file(f'{url}/{wrong}')
    with pytest.raises(InputError, match='gone.pth: .*404'):
        load_from_file(f'{url}/gone.pth')
    with pytest.raises(InputError, match='names no file'):
        load_from_file(url)
    assert not [path for path in os.listdir(hub) if 'gone' in path or wrong in path]
    (hub / named).write_bytes(content[:-1])
    with pytest.raises(InputError, match=f'{named}: its SHA-256 does not begin with {digest}'):
        local_file(f'{url}/{named}')


def test_urls_with_one_file_name_are_two_files(folder, url, monkeypatch):
    said = []
    monkeypatch.setattr(checkpoint_sources, 'print_log', lambda text, *_: said.append(text))
    for name in 'ab':
        (folder / name).mkdir()
        torch.save({name: torch.ones(1)}, folder / name / 'epoch_1.pth')
        assert list(load_from_file(f'{url}/{name}/epoch_1.pth')) == [name]
        assert f'Downloading {url}/{name}/epoch_1.pth to ' in said[-1]


@pytest.mark.parametrize(
    'sent, problem',
    [
        (b'', 'timed out'),
        (HEAD % 9, '3 of 9 bytes'),
        (HEAD % 2**11, 'is larger than 9.31323e-07 GiB'),
        (b'HTTP/1.0 200 OK\r\n\r\n' + 2000 * b'1', 'is larger than 9.31323e-07 GiB'),
    ],
)
def test_a_server_that_hangs_or_breaks_off_or_has_no_end(sent, problem, url, monkeypatch):
    monkeypatch.setattr(checkpoint_sources, 'TIMEOUT', 0.2)
    monkeypatch.setattr(checkpoint_sources, 'MAX_BYTES', 1000)
    with socket.create_server(('127.0.0.1', 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(9999)
                connection.sendall(sent)
                if not sent:
                    connection.recv(1)  # until the other gives up

        threading.Thread(target=answer, daemon=True).start()
        there = f'http://127.0.0.1:{server.getsockname()[1]}/a.pth'
        with pytest.raises(InputError, match=f'{there}: .*{problem}.* Download the file yourself'):
            local_file(there)
    assert not list(Path(torch.hub.get_dir(), 'checkpoints').glob('*_a.pth*'))


@pytest.mark.slow
@pytest.mark.parametrize('strangers_file', ['new'], indirect=True)
def test_mmactions_own_tool(strangers_file, url, recipe, stock_tool, tmp_path):
    config, checkpoint = tmp_path / 'config.py', f'{url}/{strangers_file.name}'
    config.write_text(f'_base_ = {str(recipe)!r}\ncustom_imports = dict(imports=["stars_mm"])')
    command = [
        sys.executable,
        *stock_tool('test.py'),
        str(config),
        checkpoint,
        '--work-dir',
        str(tmp_path),
    ]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path), TORCH_HOME=str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert 'InputError: ' in done.stderr and 'refused, it holds objects of' in done.stderr
    assert not (strangers_file.parent / 'it_ran').exists()
