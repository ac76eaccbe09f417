"""What writes files: by its name, a function that writes below a folder."""

import argparse
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import torch

from stars_mm.apis import FewShotRecognizer, export
from stars_mm.cli import inspect
from stars_mm.datasets.clip_cache import open_clip_store
from stars_mm.datasets.label_subsets import write_subsets
from stars_mm.engine.features import FeatureSet
from stars_mm.engine.runner.last_checkpoint import point_to
from stars_mm.evaluation.few_shot_lists import write_draws
from stars_mm.evaluation.metrics.predictions import _write as write_predictions
from stars_mm.evaluation.protocols import evaluate, training_run
from stars_mm.evaluation.protocols.features import _write_features
from stars_mm.evaluation.score_files import read_scores, write_scores
from stars_mm.preparation.annotation_file import load_annotations, save_annotations
from stars_mm.preparation.convert import convert
from stars_mm.preparation.mamp_export import write_npz
from stars_mm.preparation.readers.lookup import call_reader, get_reader
from stars_mm.utils.weights_file import write_weights
from stars_mm.visualization.annotation_pictures import draw_inspection
from tests.fuzz import honest
from tests.fuzz.mutate import write_files

Writer = Callable[[Path], Any]
WRITERS: dict[str, Writer] = {}
HERE = Path('in')  # what is read, relative to the folder in which all works


def writer(function: Writer) -> Writer:
    WRITERS[function.__name__.replace('_', ' ')] = function
    return function


def prepare() -> None:
    """Writes what the writers read into the current folder."""
    files = {f'kard/{name}': text for name, text in honest.rows_files('w', 15, 3, 900).items()}
    files = {name.replace('_w.', '_realworld.'): text for name, text in files.items()}
    clips = honest.annotation_pickles()['ann.pkl']
    write_files({**files, 'ann.pkl': clips, 'actions.npz': honest.recognizer()}, HERE)
    write_files({'dump.pkl': honest.dump()}, HERE)


def _convert(out: Path, ending: str) -> None:
    recordings = call_reader(get_reader('kard'), str(HERE / 'kard'), {})
    convert(recordings, str(out / f'kard{ending}'), workers=1)


for _ending in ('.pkl', '.npz'):
    WRITERS[f'convert {_ending}'] = partial(_convert, ending=_ending)


@writer
def clip_store(out: Path) -> None:
    path = out / 'ann.pkl'
    if not path.exists():
        path.symlink_to((HERE / 'ann.pkl').resolve())
    open_clip_store(str(path))


@writer
def annotations_of_iterator(out: Path) -> None:
    save_annotations(str(out / 'ann.npz'), iter(_alike()), honest.SPLITS)


def _alike() -> list[dict]:
    return [dict(clip, keypoint=clip['keypoint'].astype('f4')) for clip in honest.clips()]


@writer
def mamp_npz(out: Path) -> None:
    clip = dict(frame_dir='a', label=0, keypoint=honest.numbers(1, 4, 25, 3), total_frames=4)
    write_npz(str(out / 'x.npz'), dict(train=[clip] * 3, test=[clip]), 2, num_frames=4)


@writer
def weights_pth(out: Path) -> None:
    write_weights(out / 'x.pth', dict(state_dict=honest.tiny_encoder().weights))


@writer
def weights_safetensors(out: Path) -> None:
    write_weights(out / 'x.safetensors', dict(state_dict=honest.tiny_encoder().weights))


@writer
def pointer_to_a_checkpoint(out: Path) -> None:
    point_to(str(out / 'epoch_1.pth'), str(out))


@writer
def results_of_protocols(out: Path) -> None:
    found = dict(scores=dict(top1=50.0), seconds=1.0)
    stub = SimpleNamespace(
        name='knn', settings=SimpleNamespace(work_dir=out), identity=dict, run=lambda _: dict(found)
    )
    results = dict(knn=evaluate._run_once(stub))
    evaluate.write_text(out / 'evaluation.json', json.dumps(results))


@writer
def record_of_a_training(out: Path) -> None:
    training_run._write_record(out, dict(identity={}, seconds=1.0, result=None))


@writer
def kept_features(out: Path) -> None:
    feats = FeatureSet(torch.eye(3), torch.arange(3), torch.arange(3), ['a', 'b', 'c'])
    _write_features(out / 'x.npz', {'joints': dict(bank=feats, query=feats)})


@writer
def predictions(out: Path) -> None:
    write_predictions(str(out / 'p.json'), ['a', 'b'], [0, 1], [0, 0], None)


@writer
def scores(out: Path) -> None:
    write_scores(out / 'x.npz', read_scores(HERE / 'dump.pkl'))


@writer
def few_shot_list(out: Path) -> None:
    write_draws(out / 'draws.json', [{0: [0], 1: [1]}], ['a', 'b'], seed=0)


@writer
def label_subsets(out: Path) -> None:
    write_subsets(str(HERE / 'ann.pkl'), 'train', str(out), 50, draws=2)


@writer
def recognizer(out: Path) -> None:
    _learned().save(out / 'actions.npz')


@cache
def _learned() -> FewShotRecognizer:
    return FewShotRecognizer.load(HERE / 'actions.npz', device='cpu')


@writer
def inspection(out: Path) -> None:
    args = argparse.Namespace(file=str(HERE / 'ann.pkl'), json=out / 'i.json', pictures=None)
    inspect.run(argparse.Namespace(**vars(args), layout=None, strict=False))


@writer
def pictures(out: Path) -> None:
    extra: dict = {}
    annotations, splits = load_annotations(str(HERE / 'ann.pkl'), extra)
    report = inspect.inspect_annotations(annotations, splits, extra['class_names'])
    draw_inspection(report, annotations, out, ())


@cache
def _program() -> tuple[Any, dict[str, str]]:
    module, metadata = export.deploy(str(HERE / 'actions.npz'))
    return module, metadata


@cache
def _onnx() -> Any:
    found: list = []
    keep, export._write_onnx = export._write_onnx, lambda model, *_: found.append(model)
    try:
        export.write_program(_program()[0], Path('x.onnx'), _program()[1])
    finally:
        export._write_onnx = keep
    return found[0]


@writer
def export_onnx(out: Path) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(_onnx())
    export._write_onnx(model, out / 'x.onnx', _program()[1], int8=False)
