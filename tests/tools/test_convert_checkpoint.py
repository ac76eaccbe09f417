"""The authors' files through the tool."""

import argparse
import json
import os
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from stars_mm.utils.weights_file import read_weights

MODEL = {'mamp': 'mamp_tiny', 'mae': 'mae_tiny', 'ntu': 'mamp_ntu_layout'}


@pytest.fixture(scope='module')
def convert(load_tool):
    tool = load_tool('model_converters/convert_checkpoint.py')
    return lambda *args: tool.main([str(arg) for arg in args])


@pytest.fixture
def official(data_dir, tmp_path):
    """Writes a file of the form that the authors' programs write."""

    def _official(kind: str):
        name, prefix = MODEL.get(kind, 'stars_tiny'), 'state/'
        if kind in ('linprobe', 'finetune'):
            name, prefix = 'heads_tiny', f'{kind}/state/'
        own = 'encoder_student.' if kind == 'stars' else ''
        arrays = np.load(data_dir / f'{name}.npz')
        state = OrderedDict(
            (own + key.removeprefix(prefix), torch.from_numpy(np.asarray(arrays[key])))
            for key in arrays.files
            if key.startswith(prefix)
        )
        args = argparse.Namespace(config='a.yaml', lr=1e-3, model_args=dict(depth=8))
        content = dict(model=state, optimizer=dict(state={}), epoch=399, args=args)
        if kind == 'stars':
            for key in ('queue', 'queue_id', 'queue_ptr'):
                state[key] = torch.from_numpy(np.atleast_1d(arrays[key]))
            content = state
        path = tmp_path / f'{kind}.{"pt" if kind == "stars" else "pth"}'
        torch.save(content, path)
        return path, state, json.loads(str(arrays['meta']))

    return _official


def same_bytes(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
        assert found[name].numpy().tobytes() == value.numpy().tobytes(), name


@pytest.mark.parametrize(
    'kind, suffix',
    [(kind, 'safetensors') for kind in ('mae', 'finetune', 'stars')]
    + [(kind, 'pth') for kind in ('mamp', 'ntu', 'stars', 'linprobe')],
)
def test_there_and_back(convert, official, tmp_path, kind, suffix):
    """The same bytes of every tensor, in a file of the same form."""
    path, state, _ = official(kind)
    ours, back = tmp_path / f'ours.{suffix}', tmp_path / 'back.pth'
    convert(path, ours)
    weights, meta = read_weights(ours)
    assert (len(weights), meta['source']) == (len(state), path.name)
    assert kind == 'stars' or meta['epoch'] == 400
    convert(ours, back, '--to-official')
    content = torch.load(back)
    same_bytes(content if kind == 'stars' else content['model'], state)
    assert set(tmp_path.iterdir()) == {path, ours, back}  # nothing half written


def test_encoder_alone(convert, official, tmp_path, capsys):
    """For an mmaction2 model with another head; by its init_cfg, too."""
    path, state, meta = official('stars')
    convert(path, tmp_path / 'encoder.safetensors', '--backbone-only')
    assert 'left out: NNCLR head' in capsys.readouterr().out
    weights, _ = read_weights(tmp_path / 'encoder.safetensors')
    again = tmp_path / 'again.pth'
    convert(tmp_path / 'encoder.safetensors', again)
    init_cfg = dict(type='Pretrained', prefix='backbone.', checkpoint=str(again))
    sizes = ('embed_dims', 'depth', 'num_heads', 'num_frames', 'num_joints')
    backbone = dict(type='SkeletonTransformer', **{key: meta[key] for key in sizes})
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(dict(type='RecognizerGCN', backbone=dict(backbone, init_cfg=init_cfg)))
    model.init_weights()
    same_bytes({f'backbone.{k}': v for k, v in model.backbone.state_dict().items()}, weights)
    convert(again, tmp_path / 'theirs.pth', '--to-official')
    encoder = {name.removeprefix('encoder_student.'): value for name, value in state.items()}
    encoder = {k: v for k, v in encoder.items() if not k.startswith(('queue', 'head'))}
    same_bytes(torch.load(tmp_path / 'theirs.pth')['model'], encoder)


def test_files_that_are_not_whole(convert, official, tmp_path):
    for kind, key, message in (
        ('mamp', 'norm.weight', r'encoder lacks 1 of 30 tensors: "backbone\.norm\.weight"'),
        ('mamp', 'joints_embed.proj.weight', 'no encoder: "joints_embed.proj.weight"'),
        ('mamp', 'decoder_norm.bias', r'decoder lacks 1 of \d+ tensors: "neck\.norm\.bias"'),
        ('mamp', 'extra', r"not a name .*\['extra'\]"),
        ('stars', 'queue_id', 'has "queue", but no "queue_id"'),
        ('stars', 'encoder_student.head.predictor.3.weight', 'NNCLR head lacks 1 of 16 tensors'),
    ):
        path, state, _ = official(kind)
        if state.pop(key, None) is None:
            state[key] = torch.zeros(1)
        torch.save(state, path)
        with pytest.raises(ValueError, match=rf'{path.name}: .*{message}'):
            convert(path, tmp_path / 'ours.pth')
        assert not (tmp_path / 'ours.pth').exists()


class Harmful:
    """Runs a command where it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch unpickled',)


def test_files_of_another_kind(convert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content, message in (
        (dict(model={'a': torch.zeros(1)}, args=Harmful()), r'refused, .* asks for \w+\.system'),
        ([torch.zeros(1)], 'refused, it holds a list, and no'),
        (dict(model={'a': 3}), "refused, it holds no weights by name: 'a' is no tensor"),
        (dict(state_dict={}), 'holds no weights by name, it is empty'),
    ):
        torch.save(content, 'a.pth')
        with pytest.raises(ValueError, match=f'a.pth: {message}'):
            convert('a.pth', 'b.pth')
    assert os.listdir() == ['a.pth']


def test_files_that_are_cut_off_or_not_there(convert, official, tmp_path):
    path, *_ = official('mamp')
    with pytest.raises(ValueError, match=r"b.onnx: weights .* '.safetensors'"):
        convert(path, tmp_path / 'b.onnx')
    with pytest.raises(ValueError, match='source and destination are one'):
        convert(path, path)
    path.write_bytes(path.read_bytes()[:3000])
    (tmp_path / 'a.safetensors').write_bytes(bytes(100))
    for name, error, message in (
        ('mamp.pth', ValueError, 'is no file of weights, or not all'),
        ('a.safetensors', ValueError, 'is no file of weights, or not all'),
        ('none.pth', FileNotFoundError, 'there is no such'),
    ):
        with pytest.raises(error, match=f'{name}: {message}'):
            convert(tmp_path / name, tmp_path / 'b.pth')


def test_models_of_other_kinds(convert, tmp_path):
    """A graph network with MoCo's head: exported, without an official counterpart."""
    state = {'backbone.gcn.0.A': torch.zeros(2), 'head.projector.1.weight': torch.ones(1)}
    torch.save(dict(meta={}, state_dict=state), tmp_path / 'a.pth')
    convert(tmp_path / 'a.pth', tmp_path / 'b.pth', '--backbone-only')
    assert list(read_weights(tmp_path / 'b.pth')[0]) == ['backbone.gcn.0.A']
    with pytest.raises(ValueError, match='b.pth: .*no counterpart .*gcn.0.A'):
        convert(tmp_path / 'b.pth', tmp_path / 'c.pth', '--to-official')


def test_a_cheap_decoder_is_kept_and_has_no_official_counterpart(convert, tmp_path):
    sizes = dict(embed_dims=8, depth=1, num_heads=2)
    cfg = dict(type='MAMP', head=dict(type='MAMPHead'), neck=dict(type='MAMPCrossDecoder', **sizes))
    with DefaultScope.overwrite_default_scope('mmaction'):
        state = MODELS.build(dict(cfg, backbone=dict(type='SkeletonTransformer', **sizes)))
    state = state.state_dict()
    torch.save(dict(meta={}, state_dict=state), tmp_path / 'a.pth')
    convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
    same_bytes(read_weights(tmp_path / 'b.pth')[0], state)
    with pytest.raises(ValueError, match='a.pth: .*no decoder like MAMPCrossDecoder'):
        convert(tmp_path / 'a.pth', tmp_path / 'c.pth', '--to-official')
    del state['neck.blocks.0.norm_context.bias']
    torch.save(dict(meta={}, state_dict=state), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'lacks 1 of \d+ tensors: "neck.blocks.0.norm_context.b'):
        convert(tmp_path / 'a.pth', tmp_path / 'c.pth')
