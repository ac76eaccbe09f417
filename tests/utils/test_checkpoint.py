"""Checks of foreign weights; the authors' names, there and back: test_convert_checkpoint.py."""

import argparse

import pytest
import torch
from mmaction.registry import MODELS

from stars_mm.utils.checkpoint import (
    check_checkpoint,
    convert_official,
    read_checkpoint,
    to_official,
)
from stars_mm.utils.input_error import InputError
from stars_mm.utils.weights_file import read_weights


@pytest.fixture
def model():
    sizes = dict(embed_dims=16, depth=1, num_heads=2, num_frames=8, num_joints=5)
    head = dict(type='NNCLRHead', in_channels=16, hidden_channels=8, queue_size=10)
    backbone = dict(type='SkeletonTransformer', **sizes)
    return MODELS.build(dict(type='STARS', backbone=backbone, head=head))


def test_names(model):
    official = to_official(model.state_dict())
    bare = {name.removeprefix('encoder_student.'): value for name, value in official.items()}
    assert bare.keys() != official.keys()
    assert convert_official(bare).keys() == convert_official(official).keys()  # it is optional
    for name in ('joints_embed.extra', 'temp_embedding', 'head.fc3.weight'):
        with pytest.raises(KeyError, match=f"not a name .*'{name}'"):
            convert_official({**official, name: torch.zeros(1)})
    with pytest.raises(KeyError, match="no counterpart .*'backbone.gcn.0.A'"):
        to_official({'backbone.gcn.0.A': torch.zeros(1)})


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
    torch.testing.assert_close(dict(found['state_dict']), state, rtol=0, atol=0)
    assert found['meta'] == meta


def test_the_converter_is_named(tmp_path, model):
    """The authors save their command line beside the weights."""
    path = tmp_path / 'mamp.pth'
    torch.save(dict(model=to_official(model.state_dict()), args=argparse.Namespace(lr=1.0)), path)
    state = read_checkpoint(str(path))['state_dict']
    with pytest.raises(InputError, match=r'mamp.pth: lacks .*convert_checkpoint.py .*mamp.pth'):
        check_checkpoint(state, model, str(path))


def test_weights_have_to_fit_the_model(model):
    own = model.state_dict()
    encoder = {k: v for k, v in own.items() if k.startswith('backbone.')}
    check_checkpoint(own, model, 'a.pth')
    check_checkpoint(encoder, model, 'a.pth')  # the head may be new
    check_checkpoint({f'module.{k}': v for k, v in own.items()}, model, 'a')

    other = dict(encoder, **{'backbone.norm.weight': torch.zeros(8)})
    message = r'a\.pth: does not fit .*backbone\.norm\.weight: \(8,\) in the file, \(16,\) in'
    with pytest.raises(ValueError, match=message):
        check_checkpoint(other, model, 'a.pth')
    del other['backbone.norm.weight']
    with pytest.raises(ValueError, match=r'a\.pth: lacks 1 of .*norm.weight'):
        check_checkpoint(other, model, 'a.pth')
    for prefix in ('', 'encoder_student.'):
        official = to_official(own)
        official = {f'{prefix}{k.removeprefix("encoder_student.")}': v for k, v in official.items()}
        with pytest.raises(ValueError, match="the authors' .*convert_checkpo"):
            check_checkpoint(official, model, 'a.pth')


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float8_e4m3fn])
def test_weights_that_are_no_numbers(tmp_path, dtype):
    path = tmp_path / 'weights.pth'
    for value in (1.0, float('nan')):
        state = {'a': torch.ones(2, dtype=torch.long), 'b': torch.tensor([1.0, value]).to(dtype)}
        torch.save(dict(state_dict=state), path)
        if value == 1:
            assert read_weights(path)[0].keys() == state.keys()
    for read in (read_weights, read_checkpoint):
        with pytest.raises(InputError, match=r'weights.pth: "b" holds values that are not finite'):
            read(str(path))
