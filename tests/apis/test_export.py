"""Files that run without this package give what the package gives."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stars_mm.apis import FewShotRecognizer, SkeletonInferencer
from stars_mm.apis.deployed_recognizer import DeployedRecognizer
from stars_mm.apis.encoder import PackedEncoder
from stars_mm.apis.export import deploy, export
from stars_mm.apis.inputs import InputClip
from stars_mm.cli import main
from stars_mm.preparation.layouts import get_layout
from stars_mm.utils.shipped_encoders import LICENSES, shipped_encoders

EXAMPLE = Path(__file__).parents[2] / 'docs/examples/recognize_onnx.py'
LAYOUT = get_layout('kinect-20')
FOUND = ('scores', 'feature')
CLASSES = ('wave', 'bow', 'squat')


def perform(number: int, seed: int) -> np.ndarray:
    """A recording (M, T, V, C) of 1 or 2 persons: a limb of a class goes to and fro."""
    rng = np.random.default_rng([seed, number])
    frames = int(rng.integers(25, 90))
    body = np.random.default_rng(7).standard_normal((20, 3)) * 0.4
    phase = np.sin(np.linspace(0, 2 * np.pi * (1 + number), frames) + rng.normal(0, 0.2))
    clip = np.repeat(body[None], frames, 0)
    clip[:, 4 * (number + 1) : 4 * (number + 2)] += 0.5 * phase[:, None, None]
    persons = np.stack([clip, clip + 1.0])[: 1 + seed % 2]
    return (persons + rng.normal(0, 0.02, persons.shape)).astype(np.float32)


#: Nothing that anybody does, (M, T, V, C)
ODD = np.random.default_rng(0).standard_normal((1, 60, 20, 3)).cumsum(1).astype(np.float32)


def as_clips(seeds) -> list[InputClip]:
    return [
        InputClip(f'{label}{seed}', perform(number, seed), LAYOUT, label)
        for number, label in enumerate(CLASSES)
        for seed in seeds
    ]


def padded(clips: list[InputClip]) -> np.ndarray:
    M, T, V, C = np.max([clip.keypoint.shape for clip in clips], axis=0)
    batch = np.zeros((len(clips), M, T, V, C), np.float32)
    for slot, clip in zip(batch, clips):
        slot[: len(clip.keypoint), : clip.keypoint.shape[1]] = clip.keypoint
        slot[:, clip.keypoint.shape[1] :] = np.nan
    return batch


@pytest.fixture(scope='module')
def encode() -> SkeletonInferencer:
    """A small encoder of random weights, fed as the one that ships."""
    known = shipped_encoders()['common-15']
    backbone = dict(known['model']['backbone'], embed_dims=16, depth=1, num_heads=2)
    model = dict(known['model'], backbone=backbone)
    torch.manual_seed(0)
    packed = PackedEncoder('tiny', model, known['pipeline'], {})
    packed.weights = packed.build().state_dict()
    return SkeletonInferencer(packed, device='cpu')


def learned(encode, classifier, unlabeled=None) -> FewShotRecognizer:
    return FewShotRecognizer(encode, classifier).learn(as_clips(range(4)), unlabeled=unlabeled)


@pytest.mark.parametrize('classifier', ['nearest-example', 'class-mean', 'linear'])
@pytest.mark.parametrize('pulled', [False, True])
@torch.no_grad()
def test_recognizer_in_one_module(encode, classifier, pulled):
    recognizer = learned(encode, classifier, as_clips(range(10, 14)) if pulled else None)
    recognizer.threshold = 0.7
    queries = [*as_clips(range(20, 24)), InputClip('odd', ODD, LAYOUT)]
    expected = recognizer(queries)
    module, about = deploy(recognizer)
    assert isinstance(module, DeployedRecognizer)
    found = dict(zip(module.outputs, module(torch.from_numpy(padded(queries)))))
    assert [CLASSES[n] for n in found['label']] == [one['label'] for one in expected]
    assert found['known'].tolist() == [one['known'] for one in expected]
    assert {one['known'] for one in expected} == {True, False}
    # rounded to 4 digits
    scores = torch.tensor([[one['scores'][label] for label in CLASSES] for one in expected])
    torch.testing.assert_close(found['scores'], scores, rtol=0, atol=1e-4)
    similarity = torch.tensor([one['similarity'] for one in expected])
    torch.testing.assert_close(found['similarity'], similarity, rtol=0, atol=1e-4)
    torch.testing.assert_close(found['feature'].numpy(), encode(queries), rtol=0, atol=1e-5)
    assert json.loads(about['classes']) == [*CLASSES]
    assert json.loads(about['layout'])['joints'] == [*LAYOUT.joints]
    assert float(about['threshold']) == recognizer.threshold


def test_refusals(encode, tmp_path):
    pytest.importorskip('onnx')
    for options, message in (
        (dict(out='a.pth'), r"a.pth: is written as one of \('.onnx', '.pt2'\)"),
        (dict(out='a.pt2', int8=True), 'a.pt2: 8 bits are for .onnx'),
        (dict(out='a.onnx', model='nothing'), "model='nothing': is no config"),
    ):
        with pytest.raises(ValueError, match=message):
            export(**{'model': encode.encoder, **options})
    unmapped = PackedEncoder('own', encode.encoder.model, encode.encoder.pipeline[1:], {})
    with pytest.raises(ValueError, match='own: does not say what its joints are'):
        deploy(unmapped)
    assert not list(tmp_path.iterdir())


def test_every_encoder_that_ships_says_its_terms():
    assert LICENSES.keys() == shipped_encoders().keys()
    _, about = deploy('stars://common-15')
    assert about['license'] == LICENSES['common-15'] and 'non-commercial' in about['license']


def write_csv(path: Path, clip: np.ndarray) -> Path:
    """Of one person, with a line of names."""
    with open(path, 'w', newline='') as file:
        rows = csv.writer(file)
        rows.writerow(f'{joint}_{axis}' for joint in LAYOUT.joints for axis in 'xyz')
        rows.writerows(clip[0].reshape(clip.shape[1], -1).tolist())
    return path


@pytest.mark.slow
def test_onnx_recognizer_without_torch(tmp_path, run_command, capsys):
    """By the command line, with the encoder that ships: the file is sound, says what it is, and a
    program without torch and without this package finds what the recognizer finds."""
    onnx = pytest.importorskip('onnx')
    onnxruntime = pytest.importorskip('onnxruntime')
    recognizer = learned(SkeletonInferencer(device='cpu'), 'auto')
    recognizer.save(tmp_path / 'actions.npz')
    recognizer, queries = FewShotRecognizer.load(tmp_path / 'actions.npz'), as_clips((20, 22))
    main(['export', str(tmp_path / 'actions.npz'), str(tmp_path / 'out/a.onnx'), '--int8'])
    assert capsys.readouterr().out.count('written to') == 2
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'a.onnx', 'a.int8.onnx'}

    content = onnx.load(tmp_path / 'out/a.onnx')
    onnx.checker.check_model(content, full_check=True)
    assert str(Path(torch.__file__).parent).encode() not in content.SerializeToString()
    session = onnxruntime.InferenceSession(tmp_path / 'out/a.onnx')
    (keypoint,) = session.get_inputs()
    assert (keypoint.name, keypoint.shape) == ('keypoint', ['N', 'M', 'T', 20, 3])
    about = session.get_modelmeta().custom_metadata_map
    assert about.keys() >= {'input', 'outputs', 'layout', 'pipeline', 'classes', 'threshold'}
    assert [one.name for one in session.get_outputs()] == [*json.loads(about['outputs'])]

    expected = recognizer(queries)
    scores = [[one['scores'][label] for label in CLASSES] for one in expected]
    features = recognizer.encode(queries)
    alone = [session.run(FOUND, {'keypoint': clip.keypoint[None]}) for clip in queries]
    together = session.run(FOUND, {'keypoint': padded(queries)})
    for found in (map(np.concatenate, zip(*alone)), together):
        for ours, theirs in zip(found, (scores, features)):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
    one_frame = queries[0].keypoint[None, :1, :1]
    assert np.isfinite(session.run(FOUND, {'keypoint': one_frame})[0]).all()
    small = onnxruntime.InferenceSession(tmp_path / 'out/a.int8.onnx')
    found = small.run(FOUND, {'keypoint': padded(queries)})
    np.testing.assert_allclose(found[0], scores, rtol=0, atol=0.05)
    assert 'precision' in small.get_modelmeta().custom_metadata_map

    files = [write_csv(tmp_path / f'{clip.name}.csv', clip.keypoint) for clip in queries]
    files.append(tmp_path / 'odd.npy')
    np.save(files[-1], ODD)
    expected += recognizer(str(files[-1]))
    blocked = ('torch', 'stars_mm', 'scipy', 'sklearn', 'mmengine')
    code = (
        'import runpy, sys\n'
        f'sys.modules.update(dict.fromkeys({blocked!r}))\n'
        f'sys.argv = {["x", str(tmp_path / "out/a.onnx"), *map(str, files)]!r}\n'
        f'runpy.run_path({str(EXAMPLE)!r}, run_name="__main__")'
    )
    lines = run_command('python', '-c', code).stdout.splitlines()
    for line, path, one in zip(lines, files, expected):
        name = one['label'] if one['known'] else f'none of these (nearest: {one["label"]})'
        assert line == f'{path}  {one["score"]:.2f}  {name}'
    assert len(lines) == len(files) and 'none of these' in lines[-1]


@pytest.mark.slow
def test_program_of_torch_export(encode, tmp_path):
    queries = as_clips((20, 21))
    (path,) = export(encode.encoder, tmp_path / 'encoder.pt2', layout=LAYOUT)
    extra = {'metadata.json': ''}
    program = torch.export.load(path, extra_files=extra).module()
    assert json.loads(json.loads(extra['metadata.json'])['layout'])['name'] == 'kinect-20'
    feature, joints = program(torch.from_numpy(padded(queries)))
    expected = encode.parts(queries)
    torch.testing.assert_close(feature, expected['published'], rtol=0, atol=1e-5)
    torch.testing.assert_close(joints, expected['joints'], rtol=0, atol=1e-5)
