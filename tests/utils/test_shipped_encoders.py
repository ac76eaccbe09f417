"""The encoders that ship: their files are those of the index, and every reader takes them."""

import shutil

import pytest
import safetensors.torch
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader

from stars_mm.evaluation.protocols.features import Encoder
from stars_mm.evaluation.protocols.training_run import training_identity
from stars_mm.preparation.layouts import get_layout
from stars_mm.utils import shipped_encoders
from stars_mm.utils.checkpoint import read_checkpoint
from stars_mm.utils.shipped_encoders import FOLDER, checkpoint_path, space_path
from stars_mm.utils.weights_file import file_sha256, read_weights

KNOWN = shipped_encoders.shipped_encoders()


@pytest.fixture(scope='module')
def cfg(repo_root) -> Config:
    return Config.fromfile(repo_root / KNOWN['common-15']['config'])


@pytest.fixture
def build(cfg):
    def _build(**options):
        backbone = dict(cfg.model.backbone, **options)
        with DefaultScope.overwrite_default_scope('mmaction'):
            model = MODELS.build(dict(cfg.model, backbone=backbone))
        model.init_weights()
        return model.eval()

    return _build


def test_files_are_those_of_the_index():
    """Each is small enough for a wheel, and there is none that the index does not know."""
    assert 'common-15' in KNOWN
    assert {path.name for path in FOLDER.glob('*.safetensors')} == {
        entry[key] for entry in KNOWN.values() for key in ('file', 'space') if key in entry
    }
    for name, entry in KNOWN.items():
        path = FOLDER / entry['file']
        assert path.stat().st_size <= 8_000_000
        assert entry['sha256'] == file_sha256(path)
        _, meta = read_weights(path)
        about_files = ('file', 'sha256', 'space', 'space_sha256', 'model', 'pipeline')
        said = {key: value for key, value in entry.items() if key not in about_files}
        assert {key: meta[key] for key in said} == said
        assert space_path(name) is None or file_sha256(space_path(name)) == entry['space_sha256']


def test_common_15_fits_its_config(cfg, build):
    """No name is missing, none is left over; it says of its clips what the config says."""
    state = read_checkpoint('stars://common-15')['state_dict']
    backbone = build().backbone
    own = {name.removeprefix('backbone.'): value for name, value in state.items()}
    assert {n: v.shape for n, v in own.items()} == {
        n: v.shape for n, v in backbone.state_dict().items()
    }
    assert all(name.startswith('backbone.') for name in state)
    assert {value.dtype for value in state.values()} == {torch.float32}
    entry = KNOWN['common-15']
    assert get_layout(entry['layout']).num_joints == backbone.num_joints
    assert entry['num_frames'] == backbone.num_frames


@torch.no_grad()
def test_features_are_those_of_the_file_by_every_way(cfg, build, tmp_path):
    """By ``init_cfg``, by evaluate.py's reader and by a file elsewhere; they are not random."""
    own = tmp_path / 'own.safetensors'
    shutil.copy(FOLDER / KNOWN['common-15']['file'], own)
    pretrained = [
        build(init_cfg=dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone.'))
        for checkpoint in ('stars://common-15', str(own))
    ]
    encoder = Encoder.load('stars://common-15')
    assert encoder.digest == KNOWN['common-15']['sha256'] and encoder.path == 'stars://common-15'
    models = [*pretrained, encoder.build_model(cfg), Encoder.load(own).build_model(cfg), build()]
    backbone = models[0].backbone
    expected = {k: v.float() for k, v in safetensors.torch.load_file(own).items()}
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, expected[f'backbone.{name}']), name
    clips = torch.randn(2, 1, 1, backbone.num_frames, backbone.num_joints, 3)
    feats, *others, random = [model.extract_feat(clips) for model in models]
    assert feats.isfinite().all() and feats.std(dim=0).min() > 0
    assert all(torch.equal(feats, other) for other in others)
    assert (feats - random).norm() > 0.01 * random.norm()
    # biases begin at zero
    trained = [value for name, value in expected.items() if name.endswith('bias')]
    assert all(value.abs().max() > 0 for value in trained)


def test_a_benchmark_trains_from_its_file(cfg):
    identity = training_identity(cfg, 'stars://common-15', seed=0, batch_size=8)
    assert identity['checkpoint'] == KNOWN['common-15']['sha256']


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of what ships, to be spoilt."""
    folder = tmp_path / 'encoders'
    shutil.copytree(FOLDER, folder)
    monkeypatch.setattr(shipped_encoders, 'FOLDER', folder)
    return folder


READERS = [checkpoint_path, read_checkpoint, Encoder.load, CheckpointLoader.load_checkpoint]


@pytest.mark.parametrize('read', READERS)
def test_what_is_wrong_is_said(read, package):
    with pytest.raises(ValueError, match='stars://comon-15: no encoder .* There are stars://comm'):
        read('stars://comon-15')
    path = package / 'common-15.safetensors'
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'{path} is not the file .* SHA-256 is .*index.json'):
        read('stars://common-15')
    path.unlink()
    with pytest.raises(FileNotFoundError, match='its file is gone.* Install stars_mm anew'):
        read('stars://common-15')


def test_the_nearest_name_comes_first(package):
    text = '{"hands-21": {}, "common-15": {}, "common-17": {}}'
    (package / 'index.json').write_text(text)
    with pytest.raises(ValueError, match=r'stars://common-17, stars://common-15, stars://hands-21'):
        checkpoint_path('stars://common-7')
