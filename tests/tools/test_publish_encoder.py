"""An encoder of a checkpoint becomes one that ships."""

import json

import pytest
import safetensors.torch
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.utils.weights_file import file_sha256

CONFIG = """
model = dict(
    type='STARS',
    backbone=dict(type='SkeletonTransformer', embed_dims=16, depth=1, num_heads=2, num_frames=16,
                  num_joints=15),
    head=dict(type='NNCLRHead', in_channels=16, hidden_channels=8, queue_size=10))
test_dataloader = dict(dataset=dict(pipeline=[dict(type='MapJoints')]))
"""


@pytest.fixture
def publish(load_tool, tmp_path):
    """Publishes a state, by default that of a model of the config, into ``tmp_path/out``."""
    tool = load_tool('model_converters/publish_encoder.py')
    config = tmp_path / 'configs/mine/small.py'
    config.parent.mkdir(parents=True)

    def _publish(name='some-15', change=lambda state: state, text=CONFIG):
        config.write_text(text)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope('mmaction'):
            state = MODELS.build(Config.fromfile(config).model).state_dict()
        state = change(state)
        path = tmp_path / 'epoch_3.pth'
        torch.save(dict(state_dict=state, meta=dict(seed=1, epoch=3, iter=30, time='now')), path)
        tool.main([str(path), str(config), name], folder=tmp_path / 'out')
        return state

    return _publish


SPACE = """
custom_hooks = [dict(type='SimilarityTargetHook', dataloader=dict(
    batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SkeletonDataset', ann_file='{ann_file}', test_mode=True, pipeline=[
        dict(type='TemporalCropResize', clip_len=16, p_interval=0.95),
        dict(type='FormatGCNInput', num_person=1),
        dict(type='PackActionInputs', meta_keys=('sample_idx',))])))]
"""


def test_space_is_fitted_to_what_similarities_are_taught_of(publish, tmp_path, write, make_clip):
    """The positions' mean, by the file's clips; what was published is what is read back."""
    from stars_mm.apis.packed_space import load_space

    clips = [make_clip(n, (1, 16, 15, 3)) for n in range(7)]
    ann_file = write(clips)
    publish(text=CONFIG + SPACE.format(ann_file=ann_file))
    entry = json.loads((tmp_path / 'out/index.json').read_text())['some-15']
    path = tmp_path / 'out' / entry['space']
    assert file_sha256(path) == entry['space_sha256']
    space = load_space(safetensors.torch.load_file(path))
    assert space.parts == ('positions', 'distances', 'joints')
    mean = space.whitenings['positions'].mean
    assert len(mean) == 16 * 15 * 3 and 0 < mean.abs().max() < 9


def test_file_and_index(publish, tmp_path, capsys):
    """Half of the encoder's bytes, nothing of the head; another one is added, the same one anew is
    the same to the byte."""
    state = publish()
    path = tmp_path / 'out' / 'some-15.safetensors'
    printed = capsys.readouterr().out
    assert str(path.stat().st_size) in printed and file_sha256(path) in printed
    found = safetensors.torch.load_file(path)
    expected = {name: value.half() for name, value in state.items() if name.startswith('backbone.')}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert all(found[name].dtype == torch.float16 for name in found)
    facts = dict(layout='common-15', num_frames=16, seed=1, epoch=3, iter=30)
    facts['config'] = 'configs/mine/small.py'
    index = json.loads((tmp_path / 'out/index.json').read_text())
    assert index['some-15'].pop('pipeline') == [dict(type='MapJoints')]
    model = index['some-15'].pop('model')
    assert model['type'] == 'STARS' and model['backbone']['embed_dims'] == 16
    assert index == {'some-15': dict(file=path.name, sha256=file_sha256(path), **facts)}
    with safetensors.safe_open(path, framework='pt') as file:
        meta = json.loads(file.metadata()['meta'])
    assert {'torch', 'stars_mm'} <= meta.pop('versions').keys()
    assert meta == facts

    before = path.read_bytes()
    publish()
    publish('other')
    assert path.read_bytes() == before
    both = json.loads((tmp_path / 'out/index.json').read_text())
    assert both.keys() == {'some-15', 'other'}
    assert {key: both['some-15'][key] for key in index['some-15']} == index['some-15']
    names = {'index.json', 'some-15.safetensors', 'other.safetensors'}
    assert {one.name for one in (tmp_path / 'out').iterdir()} == names


def without(state):
    return {name: value for name, value in state.items() if name != 'backbone.norm.bias'}


def huge(state):
    return dict(state, **{'backbone.norm.bias': torch.full((16,), 1e5)})


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(name='Some 15'), '"Some 15" is not of small letters'),
        (dict(change=without), "lacks 1 of the encoder's .*backbone.norm.bias"),
        (dict(change=lambda s: dict(s, **{'backbone.cls': torch.ones(1)})), "no .*backbone.cls'"),
        (dict(change=huge), r"half precision: \['backbone.norm.bias'\]"),
        (dict(text=CONFIG.replace('embed_dims=16', 'embed_dims=640')), 'bytes; 8000000 may ship'),
        (dict(text=CONFIG.replace('MapJoints', 'CenterSkeleton')), 'pipeline has no MapJoints'),
    ],
)
def test_refusals(publish, tmp_path, options, message):
    """And nothing is written."""
    with pytest.raises(ValueError, match=message):
        publish(**options)
    assert not (tmp_path / 'out').exists()
