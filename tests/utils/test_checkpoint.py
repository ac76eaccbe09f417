"""The authors' names against ours, and checks of foreign weights."""

import argparse
import json

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from stars_mm.utils.checkpoint import (
    check_checkpoint,
    convert_official,
    read_checkpoint,
    to_official,
)


@pytest.fixture
def state_of(data_dir):
    """``state_of(name, prefix)`` → the authors' state dict, and the sizes."""

    def _state_of(name, prefix='state/'):
        arrays = np.load(data_dir / f'{name}.npz')
        return (
            {
                key[len(prefix) :]: torch.from_numpy(np.asarray(arrays[key]))
                for key in arrays.files
                if key.startswith(prefix)
            },
            json.loads(str(arrays['meta'])),
            arrays,
        )

    return _state_of


@pytest.fixture
def stars_state(state_of):
    """State dict of a STARS file, as the authors' program would save it."""
    state, _, arrays = state_of('stars_tiny')
    state = {f'encoder_student.{name}': value for name, value in state.items()}
    state['queue'] = torch.from_numpy(arrays['queue'])
    state['queue_id'] = torch.from_numpy(arrays['queue_id'])
    state['queue_ptr'] = torch.from_numpy(arrays['queue_ptr'][None])
    return state


def _build(meta, **model):
    sizes = ('embed_dims', 'depth', 'num_heads', 'num_frames', 'num_joints')
    with DefaultScope.overwrite_default_scope('mmaction'):  # as the runner
        return MODELS.build(
            dict(
                backbone=dict(type='SkeletonTransformer', **{key: meta[key] for key in sizes}),
                **model,
            )
        )


def _same_bytes(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].shape == value.shape, name
        assert found[name].numpy().tobytes() == value.numpy().tobytes(), name


@pytest.mark.parametrize('name', ['mamp_tiny', 'mamp_ntu_layout', 'mae_tiny'])
def test_mamp_there_and_back(state_of, name):
    state, meta, _ = state_of(name)
    converted = convert_official(state)
    model = _build(
        meta,
        type='MAMP',
        head=dict(type='MAMPHead'),
        neck=dict(
            type='MAMPDecoder',
            embed_dims=meta['embed_dims'],
            depth=meta['decoder_depth'],
            num_heads=meta['num_heads'],
        ),
    )
    model.load_state_dict(converted, strict=True)
    _same_bytes(to_official(converted), state)
    _same_bytes(to_official(model.state_dict()), state)


def test_stars_there_and_back(state_of, stars_state):
    _, meta, _ = state_of('stars_tiny')
    converted = convert_official(stars_state)
    model = _build(
        meta,
        type='STARS',
        head=dict(type='NNCLRHead', in_channels=32, hidden_channels=64, queue_size=40),
    )
    model.load_state_dict(converted, strict=True)
    queue = model.head.queue
    for place in (0, 7, 39):
        assert torch.equal(queue.feats[place], stars_state['queue'][:, place])
    assert torch.equal(queue.ids, stars_state['queue_id'])
    assert queue.ptr.tolist() == [36]
    _same_bytes(to_official(converted), stars_state)
    _same_bytes(to_official(model.state_dict()), stars_state)
    bare = {name.removeprefix('encoder_student.'): value for name, value in stars_state.items()}
    _same_bytes(convert_official(bare), converted)  # the prefix is optional


@pytest.mark.parametrize(
    'kind, names',
    [
        (
            'linprobe',
            {
                'cls_head.fc.0.running_mean',
                'cls_head.fc.0.running_var',
                'cls_head.fc.0.num_batches_tracked',
                'cls_head.fc.1.weight',
                'cls_head.fc.1.bias',
            },
        ),
        (
            'finetune',
            {
                'cls_head.bn.weight',
                'cls_head.bn.bias',
                'cls_head.bn.running_mean',
                'cls_head.bn.running_var',
                'cls_head.bn.num_batches_tracked',
                'cls_head.fc1.weight',
                'cls_head.fc1.bias',
                'cls_head.fc2.weight',
                'cls_head.fc2.bias',
            },
        ),
    ],
)
def test_classifiers_there_and_back(state_of, kind, names):
    state, meta, _ = state_of('heads_tiny', f'{kind}/state/')
    converted = convert_official(state)
    assert {name for name in converted if not name.startswith('backbone.')} == names
    model = _build(
        meta, type='RecognizerGCN', cls_head=dict(type='GCNHead', num_classes=7, in_channels=32)
    )
    missing, unexpected = model.load_state_dict(converted, strict=False)
    assert all(name.startswith('cls_head.') for name in missing)
    assert set(unexpected) == names
    _same_bytes(to_official(converted), state)


def test_unknown_names_are_named(state_of):
    state, _, _ = state_of('mamp_tiny')
    for name in ('joints_embed.extra', 'temp_embedding', 'head.fc3.weight'):
        with pytest.raises(KeyError, match=f"not a name .*'{name}'"):
            convert_official({**state, name: torch.zeros(1)})
    with pytest.raises(KeyError, match="no counterpart .*'backbone.gcn.0.A'"):
        to_official({'backbone.gcn.0.A': torch.zeros(1)})


def test_incomplete_states_are_refused(state_of, stars_state):
    state, _, _ = state_of('mamp_tiny')
    with pytest.raises(KeyError, match='no encoder.*joints_embed.proj'):
        convert_official({'mask_token': state['mask_token']})
    for name in ('queue_id', 'queue_ptr'):
        part = {k: v for k, v in stars_state.items() if k != name}
        with pytest.raises(KeyError, match=f'"queue", but no "{name}"'):
            convert_official(part)


@pytest.mark.parametrize(
    'wrap, meta',
    [
        (lambda state: dict(state_dict=state, meta=dict(epoch=3)), dict(epoch=3)),
        (lambda state: dict(model=state), {}),
        (lambda state: {f'module.{name}': value for name, value in state.items()}, {}),
    ],
)
def test_checkpoints_of_every_form(tmp_path, wrap, meta):
    state, path = {'backbone.norm.weight': torch.rand(4)}, str(tmp_path / 'weights.pth')
    torch.save(wrap(state), path)
    found = read_checkpoint(path)
    _same_bytes(found['state_dict'], state)
    assert found['meta'] == meta


def test_the_converter_is_named(tmp_path):
    """The authors save their command line beside the weights."""
    path = tmp_path / 'mamp.pth'
    torch.save(dict(model={}, args=argparse.Namespace(lr=1.0)), path)
    with pytest.raises(
        ValueError,
        match=r'mamp.pth: the safe loader refuses '
        r'.*convert_checkpoint.py .*mamp.pth OURS',
    ):
        read_checkpoint(str(path))


def test_weights_have_to_fit_the_model(state_of):
    state, meta, _ = state_of('stars_tiny')
    model = _build(
        meta,
        type='STARS',
        head=dict(type='NNCLRHead', in_channels=32, hidden_channels=64, queue_size=40),
    )
    own = model.state_dict()
    encoder = {k: v for k, v in own.items() if k.startswith('backbone.')}
    check_checkpoint(own, model, 'a.pth')
    check_checkpoint(encoder, model, 'a.pth')  # the head may be new
    check_checkpoint({f'module.{k}': v for k, v in own.items()}, model, 'a')

    other = dict(encoder, **{'backbone.norm.weight': torch.zeros(8)})
    with pytest.raises(
        ValueError,
        match=r'a\.pth does not fit .*backbone'
        r'\.norm\.weight: \(8,\) in the file, \(32,\) in',
    ):
        check_checkpoint(other, model, 'a.pth')
    del other['backbone.norm.weight']
    with pytest.raises(ValueError, match=r'a\.pth lacks 1 of .*norm.weight'):
        check_checkpoint(other, model, 'a.pth')
    for prefix in ('', 'encoder_student.'):
        official = {prefix + name: value for name, value in state.items()}
        with pytest.raises(ValueError, match="the authors' .*convert_checkpo"):
            check_checkpoint(official, model, 'a.pth')
