"""The authors' files through the tool, and on through test.py."""

import argparse
import importlib.util
import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from stars_mm.utils.weights_file import read_weights

MODEL = {'mamp': 'mamp_tiny', 'mae': 'mae_tiny', 'ntu': 'mamp_ntu_layout'}


@pytest.fixture(scope='module')
def convert(repo_root):
    path = repo_root / 'tools/model_converters/convert_checkpoint.py'
    spec = importlib.util.spec_from_file_location('convert_checkpoint', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *args: module.main([str(arg) for arg in args])


@pytest.fixture
def official(data_dir, tmp_path):
    """Writes a file of the form that the authors' programs write."""

    def _official(kind: str):
        name, prefix = MODEL.get(kind, 'stars_tiny'), 'state/'
        if kind in ('linprobe', 'finetune'):
            name, prefix = 'heads_tiny', f'{kind}/state/'
        arrays = np.load(data_dir / f'{name}.npz')
        state = OrderedDict(
            (key[len(prefix) :], torch.from_numpy(np.asarray(arrays[key])))
            for key in arrays.files
            if key.startswith(prefix)
        )
        if kind == 'stars':
            state = OrderedDict((f'encoder_student.{key}', value) for key, value in state.items())
            for key in ('queue', 'queue_id'):
                state[key] = torch.from_numpy(arrays[key])
            state['queue_ptr'] = torch.from_numpy(arrays['queue_ptr'][None])
            content = state
        else:
            content = dict(
                model=state,
                optimizer=dict(state={}, param_groups=[]),
                epoch=399,
                scaler=dict(scale=65536.0),
                args=argparse.Namespace(config='a.yaml', lr=1e-3, model_args=dict(depth=8)),
            )
        path = tmp_path / f'{kind}.{"pt" if kind == "stars" else "pth"}'
        torch.save(content, path)
        return path, state, json.loads(str(arrays['meta']))

    return _official


def same_bytes(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].shape == value.shape, name
        assert found[name].numpy().tobytes() == value.numpy().tobytes(), name


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize('kind', ['mamp', 'mae', 'ntu', 'stars', 'linprobe', 'finetune'])
def test_there_and_back(convert, official, tmp_path, kind, suffix):
    """The same bytes of every tensor, in a file of the same form."""
    path, state, _ = official(kind)
    ours, back = tmp_path / f'ours.{suffix}', tmp_path / 'back.pth'
    convert(path, ours)
    weights, meta = read_weights(ours)
    assert len(weights) == len(state)
    assert meta['source'] == path.name
    if kind != 'stars':
        assert meta['epoch'] == 400
    convert(ours, back, '--to-official')
    content = torch.load(back)
    same_bytes(content if kind == 'stars' else content['model'], state)
    assert sorted(child.name for child in tmp_path.iterdir()) == sorted(
        [path.name, ours.name, back.name]
    )  # nothing half written


def test_our_model_computes_what_theirs_does(convert, official, tmp_path, data_dir):
    """From the file; no tensor is left over or missing."""
    path, _, meta = official('stars')
    convert(path, tmp_path / 'ours.pth')
    content = torch.load(tmp_path / 'ours.pth')
    assert set(content) == {'meta', 'state_dict'}
    sizes = ('embed_dims', 'depth', 'num_heads', 'num_frames', 'num_joints')
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(
            dict(
                type='STARS',
                backbone=dict(type='SkeletonTransformer', **{key: meta[key] for key in sizes}),
                head=dict(type='NNCLRHead', in_channels=32, hidden_channels=64, queue_size=40),
            )
        )
    model.load_state_dict(content['state_dict'], strict=True)
    arrays = np.load(data_dir / 'stars_tiny.npz')
    clips = torch.from_numpy(arrays['x']).permute(0, 4, 2, 3, 1)[:, None]
    with torch.no_grad():  # (N, 1, M, T, V, C)
        found = model.eval().extract_feat(clips)
    torch.testing.assert_close(found, torch.from_numpy(arrays['feature']), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_encoder_alone(convert, official, tmp_path, suffix, capsys):
    """For an mmaction2 model with another head; by its init_cfg, too."""
    path, state, meta = official('stars')
    convert(path, tmp_path / 'ours.pth')
    capsys.readouterr()
    convert(tmp_path / 'ours.pth', tmp_path / f'encoder.{suffix}', '--backbone-only')
    said = capsys.readouterr().out
    assert 'encoder: 54 tensors: 4 blocks of 32 channels, 5 joints' in said
    assert 'left out: NNCLR head' in said
    weights, _ = read_weights(tmp_path / f'encoder.{suffix}')
    assert len(weights) == 54
    convert(tmp_path / f'encoder.{suffix}', tmp_path / 'again.pth')
    sizes = ('embed_dims', 'depth', 'num_heads', 'num_frames', 'num_joints')
    backbone = dict(type='SkeletonTransformer', **{key: meta[key] for key in sizes})
    backbone['init_cfg'] = dict(
        type='Pretrained', prefix='backbone.', checkpoint=str(tmp_path / 'again.pth')
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(
            dict(
                type='RecognizerGCN',
                backbone=backbone,
                cls_head=dict(type='GCNHead', num_classes=7, in_channels=32),
            )
        )
    model.init_weights()
    same_bytes(
        model.backbone.state_dict(),
        {name.removeprefix('backbone.'): value for name, value in weights.items()},
    )
    convert(tmp_path / 'again.pth', tmp_path / 'theirs.pth', '--to-official')
    same_bytes(
        torch.load(tmp_path / 'theirs.pth')['model'],
        {
            name.removeprefix('encoder_student.'): value
            for name, value in state.items()
            if not name.startswith(('queue', 'encoder_student.head'))
        },
    )


def drop(*names):
    def _drop(state):
        return {
            key: value
            for key, value in state.items()
            if key.removeprefix('encoder_student.') not in names
        }

    return _drop


@pytest.mark.parametrize(
    'kind, change, message',
    [
        (
            'mamp',
            drop('blocks.1.attn.qkv.bias', 'norm.weight'),
            r'the encoder '
            r'lacks 2 of 30 tensors: "backbone\.blocks\.1\.attn\.qkv\.bias", "backb',
        ),
        (
            'mamp',
            drop('blocks.0.norm1.weight', 'joints_embed.proj.weight'),
            'no encoder: "joints_embed.proj.weight"',
        ),
        (
            'mamp',
            drop('decoder_norm.bias'),
            r'the decoder lacks 1 of \d+ tensors: "neck\.norm\.bias"',
        ),
        (
            'mamp',
            lambda state: dict(state, extra=torch.zeros(1)),
            r"not a name of an official .*\['extra'\]",
        ),
        (
            'mamp',
            lambda state: {'decoder_pos_embed': state['decoder_pos_embed']},
            'holds no encoder; its tensors are "decoder_pos_embed"',
        ),
        ('stars', drop('queue_id'), 'has "queue", but no "queue_id"'),
        (
            'stars',
            drop('head.predictor.3.weight'),
            r'the NNCLR head lacks 1 of 16 tensors: "head\.predictor\.3\.weight"',
        ),
    ],
)
def test_files_that_are_not_whole(convert, official, tmp_path, kind, change, message):
    path, state, _ = official(kind)
    torch.save(change(state), path)
    with pytest.raises(ValueError, match=rf'{path.name}: .*{message}'):
        convert(path, tmp_path / 'ours.pth')
    assert not (tmp_path / 'ours.pth').exists()


class Harmful:
    """Runs a command where it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch unpickled',)


@pytest.mark.parametrize(
    'content, message',
    [
        (
            dict(model={'a': torch.zeros(1)}, args=Harmful()),
            r'the safe loader refuses it: it holds objects of \w+\.system',
        ),
        ([torch.zeros(1)], 'holds a list, and no'),
        (dict(model={'a': 3}), 'holds no weights by name: "a" is no tensor'),
        (dict(state_dict={}), 'holds no weights by name: it is empty'),
    ],
)
def test_files_of_another_kind(convert, tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    torch.save(content, 'a.pth')
    with pytest.raises(ValueError, match=f'a.pth: {message}'):
        convert('a.pth', 'b.pth')
    assert not (tmp_path / 'unpickled').exists()


def test_files_that_are_cut_off_or_not_there(convert, official, tmp_path):
    path, _, _ = official('mamp')
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match='mamp.pth: is no file that torch.sa'):
        convert(path, tmp_path / 'b.pth')
    (tmp_path / 'a.safetensors').write_bytes(b'no such thing')
    with pytest.raises(ValueError, match='a.safetensors: is no safetensors'):
        convert(tmp_path / 'a.safetensors', tmp_path / 'b.pth')
    with pytest.raises(FileNotFoundError, match='none.pth: there is no such'):
        convert(tmp_path / 'none.pth', tmp_path / 'b.pth')
    with pytest.raises(ValueError, match=r"b.onnx: weights .* '.safetensors'"):
        convert(path, tmp_path / 'b.onnx')
    with pytest.raises(ValueError, match='source and destination are one'):
        convert(path, path)


def test_without_safetensors(convert, official, tmp_path, monkeypatch):
    path, _, _ = official('mamp')
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    with pytest.raises(ImportError, match='pip install safetensors'):
        convert(path, tmp_path / 'b.safetensors')


def test_graph_network_of_ours(convert, tmp_path, capsys):
    """Its encoder is exported, and has no official counterpart."""
    torch.save(
        dict(meta={}, state_dict={'backbone.gcn.0.A': torch.zeros(2), 'head.x': torch.ones(1)}),
        tmp_path / 'a.pth',
    )
    convert(tmp_path / 'a.pth', tmp_path / 'b.pth', '--backbone-only')
    assert 'encoder: 1 tensors: of another kind' in capsys.readouterr().out
    assert list(read_weights(tmp_path / 'b.pth')[0]) == ['backbone.gcn.0.A']
    with pytest.raises(ValueError, match='a.pth: .*no counterpart .*gcn.0.A'):
        convert(tmp_path / 'a.pth', tmp_path / 'c.pth', '--to-official')


def write_clips(path) -> None:
    """Clips of two classes like those of NTU-60, but for five joints; those of
    the test are copies."""
    rng = np.random.default_rng(0)
    names = [f'clip{n}' for n in range(24)]
    annotations = []
    for number, name in enumerate(names[:14]):
        frames = 20 + number % 7
        wave = np.sin((1 + number % 2) * np.arange(frames) / 2)
        keypoint = rng.normal(size=(1, 1, 5, 3)) + wave[:, None, None]
        annotations.append(
            dict(
                frame_dir=name,
                label=number % 2,
                total_frames=frames,
                keypoint=keypoint.astype(np.float32),
            )
        )
    annotations += [dict(clip, frame_dir=name) for name, clip in zip(names[14:], annotations)]
    path.write_bytes(
        pickle.dumps(
            dict(split=dict(xsub_train=names[:14], xsub_val=names[14:]), annotations=annotations)
        )
    )


def test_through_test_py(convert, official, repo_root, tmp_path):
    """The kNN config of NTU-60, made as small as the file."""
    path, _, meta = official('stars')
    ours = tmp_path / 'ours.pth'
    convert(path, ours)
    write_clips(tmp_path / 'clips.pkl')
    options = {
        f'model.backbone.{key}': meta[key]
        for key in ('embed_dims', 'depth', 'num_heads', 'num_frames', 'num_joints')
    }
    options.update(
        {
            'model.head.in_channels': 32,
            'model.head.queue_size': 40,
            'model.head.hidden_channels': 64,
        }
    )
    for loader in ('test_dataloader', 'test_cfg.bank_dataloader'):
        options.update(
            {
                f'{loader}.num_workers': 0,
                f'{loader}.persistent_workers': False,
                f'{loader}.dataset.ann_file': str(tmp_path / 'clips.pkl'),
                f'{loader}.dataset.pipeline.1.clip_len': meta['num_frames'],
            }
        )
    done = subprocess.run(
        [
            sys.executable,
            '-W',
            'ignore',
            str(repo_root / 'tools/test.py'),
            str(repo_root / 'configs/stars_ntu60.py'),
            str(ours),
            '--work-dir',
            str(tmp_path / 'run'),
            '--cfg-options',
            *(f'{key}={value}' for key, value in options.items()),
        ],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        timeout=300,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=dict(
            os.environ,
            OMP_NUM_THREADS='1',
            CUDA_VISIBLE_DEVICES='',
            PYTHONPATH=os.pathsep.join([str(repo_root), *filter(None, sys.path)]),
        ),
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert 'missing keys' not in done.stdout
    assert 'unexpected key' not in done.stdout
    (found,) = (tmp_path / 'run').glob('2*/2*.json')
    scores = json.loads(found.read_text())
    assert {'knn/top1_k1', 'knn/top1_k10', 'cluster/nmi'} <= set(scores)
    assert scores['knn/top1_k1'] == 100
