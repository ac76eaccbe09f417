"""The doors through which files from outside come in.

A door has sound files, and opens files as a user's call does. What it lets in is sound, or an
AssertionError; what it does not let in ends in an InputError or an OSError that names the file.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import base_dataset

from stars_mm.apis import FewShotRecognizer, LiveRecognizer, SkeletonInferencer
from stars_mm.apis.encoder import PackedEncoder
from stars_mm.apis.frame_lines import parse_frame
from stars_mm.apis.inputs import ReadOptions, read_clips
from stars_mm.cli.convert import read_classes
from stars_mm.datasets import SkeletonDataset
from stars_mm.datasets.clip_cache import open_clip_store
from stars_mm.datasets.clip_selection import read_subset
from stars_mm.engine.features import FeatureSet
from stars_mm.engine.runner.last_checkpoint import latest_checkpoint
from stars_mm.evaluation.few_shot_lists import read_draws
from stars_mm.evaluation.functional.class_results import class_results
from stars_mm.evaluation.protocols.features import _read_features, _write_features
from stars_mm.evaluation.protocols.training_log import read_training_log
from stars_mm.evaluation.protocols.training_run import _read_record, predictions_by_class
from stars_mm.evaluation.score_files import read_scores
from stars_mm.preparation.annotation_file import load_annotations
from stars_mm.preparation.clip_faults import clip_fault
from stars_mm.preparation.convert import convert
from stars_mm.preparation.inspection import as_text, inspect_annotations
from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.readers.lookup import call_reader, get_reader
from stars_mm.preparation.recording import Recording
from stars_mm.preparation.splits import SplitRule
from stars_mm.utils.atomic import naming
from stars_mm.utils.checkpoint import read_checkpoint
from stars_mm.utils.input_error import InputError
from stars_mm.utils.weights_file import read_weights
from tests.fuzz import honest
from tests.fuzz.mutate import Files, write_files

# data sets collect garbage when they are made, which takes longer than all else
base_dataset.gc = SimpleNamespace(collect=list)

LARGEST = 1e7  # of a coordinate whose unit nobody knows: 10 km in millimetres


class Door(NamedTuple):
    """``files`` gives sound ones, ``open`` opens those in a folder, ``seal`` mends checksums that
    an attacker would mend."""

    files: Callable[[], Files]
    open: Callable[[Path], None]
    seal: Callable[[Files], Files] = lambda files: files


DOORS: dict[str, Door] = {}


def door(name: str, files: Callable[[], Files], **options: Callable) -> Callable:
    """Registers a function that opens what is in a folder."""

    def register(function: Callable[[Path], None]) -> Callable[[Path], None]:
        DOORS[name] = Door(cache(files), function, **options)
        return function

    return register


def check_clips(clips: list[dict]) -> None:
    for clip in clips:
        fault = clip_fault(clip)
        assert fault is None, f'a clip has passed: {fault}'
        largest = np.abs(clip['keypoint']).max()
        assert largest <= LARGEST, f'a coordinate of {largest:g} has passed'


@door('annotations .pkl, training', honest.annotation_pickles)
def train_pkl(folder: Path) -> None:
    open_dataset(folder / 'ann.pkl')


@door('annotations .npz, training', honest.annotation_npz)
def train_npz(folder: Path) -> None:
    open_dataset(folder / 'ann.npz')


def open_dataset(path: Path) -> SkeletonDataset:
    data = SkeletonDataset(str(path), [], split='train', num_classes=2, invalid='drop')
    check_clips([data[n] for n in range(len(data))])
    return data


@door('annotations .pkl, inspect', honest.annotation_pickles)
def inspect(folder: Path) -> None:
    path, extra = str(folder / 'ann.pkl'), {}
    annotations, splits = load_annotations(path, extra)
    as_text(inspect_annotations(annotations, splits, extra.get('class_names'), path))


@door('annotations .pkl, recognize', honest.annotation_pickles)
def recognize_pkl(folder: Path) -> None:
    check_inputs(folder / 'ann.pkl')


@door('annotations .npz, recognize', honest.annotation_npz)
def recognize_npz(folder: Path) -> None:
    check_inputs(folder / 'ann.npz')


def check_inputs(path: Path, **options: str) -> None:
    for clip in read_clips(str(path), ReadOptions(**options)):
        check_clips([dict(keypoint=clip.keypoint)])


def with_map() -> Files:
    """An annotation file with its map."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'ann.pkl')
        path.write_bytes(honest.annotation_pickles()['ann.pkl'])
        open_clip_store(str(path))
        return {
            f'ann.pkl.map/{file.name}': file.read_bytes()
            for file in sorted(Path(f'{path}.map').iterdir())
        }


@door('map, damaged', with_map)
def damaged_map(folder: Path) -> None:
    """What is damaged is made anew, and no bit is another."""
    (folder / 'ann.pkl').write_bytes(honest.annotation_pickles()['ann.pkl'])
    store = open_clip_store(str(folder / 'ann.pkl'))
    for number, clip in enumerate(honest.clips()):
        found = {**store.read(number), **store.read_about()[0][number]}
        for key, value in clip.items():
            assert np.array_equal(found[key], value), f'{key} of a damaged map is another'


def unsealed_map() -> Files:
    files = dict(with_map())
    files['ann.pkl.map/index.json'] = files['ann.pkl.map/index.json'].split(b'\n', 1)[1]
    return files


def seal_map(files: Files) -> Files:
    """Mends the map's checksums."""
    files = dict(files)
    path = 'ann.pkl.map/index.json'
    try:
        index = json.loads(files[path])
        for name in index['files']:
            content = files[f'ann.pkl.map/{name}']
            index['files'][name][:2] = [len(content), hashlib.sha256(content).hexdigest()]
        text = json.dumps(index).encode('utf-8', 'surrogatepass')
        files[path] = hashlib.sha256(text).hexdigest().encode() + b'\n' + text
    except Exception:  # nothing is left to be sealed
        pass
    return files


@door('map, forged', unsealed_map, seal=seal_map)
def forged_map(folder: Path) -> None:
    """A stranger's map beside a stranger's file: whatever it holds is checked."""
    path = folder / 'ann.pkl'
    path.write_bytes(honest.annotation_pickles()['ann.pkl'])
    open_dataset(path)


FOLDER = dict(layout='common-15', pattern='{label}/{subject}')  # options of the reader
READERS: dict[str, tuple[Callable[[], Files], bool]] = {
    'ntu60': (honest.ntu, True),
    'ntu120': (honest.ntu, False),
    'pku1': (partial(honest.pku, 1), True),
    'pku2': (partial(honest.pku, 2), False),
    'nw-ucla': (honest.nw_ucla, True),
    'mamp-npz': (honest.mamp_npz, False),
    'utd-mhad': (honest.utd_mhad, True),
    'kard': (partial(honest.rows_files, 'realworld', 15, 3, 900), True),
    'msr-action3d': (partial(honest.rows_files, 'skeleton3D', 20, 4, 1), False),
    'cad60': (honest.cad60, True),
    'utkinect': (honest.utkinect, False),
    'bandai-namco': (honest.bandai_namco, False),
    'bvh': (honest.cmu, True),
    'mmpose': (honest.mmpose, False),
    **{
        f'folder {end}': (partial(honest.tables, end), end == '.npy')
        for end in ('.csv', '.tsv', '.npy', '.json')
    },
}


def source_of(files: Callable[[], Files], is_zip: bool) -> Callable[[], Files]:
    if is_zip:
        return lambda: {'src.zip': honest.as_zip(files())}
    return lambda: {f'src/{name}': content for name, content in files().items()}


def open_by_reader(reader: str, folder: Path) -> None:
    options = dict(pattern='{label}/{subject}') if reader == 'mmpose' else {}
    convert_and_check(reader.split()[0], folder, FOLDER if ' ' in reader else options)


class Together(SplitRule):
    """All clips in one split: how they are parted is no matter of the files."""

    def apply(self, clips: Sequence[Recording]) -> dict[str, list[str]]:
        return dict(all=[clip.name for clip in clips])


def convert_and_check(reader: str, folder: Path, options: dict) -> None:
    src = next((path for path in (folder / 'src.zip', folder / 'src') if path.exists()), folder)
    if reader == 'mamp-npz':
        src = folder / 'src/NTU60_XSub.npz'
    dst = str(folder / 'out' / 'ann.pkl')
    convert(call_reader(get_reader(reader), str(src), options), dst, split=Together())
    check_clips(load_annotations(dst)[0])


for _reader, (_files, _is_zip) in READERS.items():
    door(f'convert {_reader}, {"zip" if _is_zip else "folder"}', source_of(_files, _is_zip))(
        partial(open_by_reader, _reader)
    )


@door('convert --index', honest.index_csv)
def convert_index(folder: Path) -> None:
    options = dict(layout='common-15', index=str(folder / 'index.csv'))
    recordings = call_reader(get_reader('folder'), str(folder / 'clips'), options)
    convert(recordings, str(folder / 'out/ann.pkl'))


@door('convert --classes', lambda: {'classes.txt': b'walk\nsit\n\nwave\n'})
def classes(folder: Path) -> None:
    assert all(read_classes([str(folder / 'classes.txt')]))


@door('convert, left unfinished', lambda: {'group.pkl': _group(honest.tables('.npy'))})
def unfinished(folder: Path) -> None:
    """A group of clips that an interrupted conversion left is damaged: it is not taken."""
    _interrupt(folder, honest.tables('.npy'))
    for group in (folder / 'out/ann.pkl.unfinished').glob('*.pkl'):
        (folder / 'group.pkl').rename(group)
    try:
        convert_and_check('folder', folder, FOLDER)
    except ValueError as error:  # which has no name that a user would know
        raise InputError(folder / 'group.pkl', str(error)) from error


def _interrupt(folder: Path, files: Files) -> None:
    """Leaves what a conversion leaves that ends before its last step."""
    write_files({f'src/{name}': content for name, content in files.items()}, folder)
    recordings = call_reader(get_reader('folder'), str(folder / 'src'), FOLDER)
    with suppress(ValueError):
        convert(recordings, str(folder / 'out/ann.pkl'), split=SplitRule(val_cameras=['none']))


def _group(files: Files) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        _interrupt(Path(folder), files)
        (group,) = Path(folder, 'out/ann.pkl.unfinished').glob('*.pkl')
        return group.read_bytes()


for _ending in ('.csv', '.tsv', '.npy', '.json'):
    door(
        f'recognize {_ending}',
        lambda end=_ending: {f'clip{end}': honest.tables(end)[f'sit/1{end}']},
    )(lambda folder, end=_ending: check_inputs(folder / f'clip{end}', layout='common-15'))


@door('recognize .bvh', lambda: {'clip.bvh': honest.bvh(honest.H36M)})
def recognize_bvh(folder: Path) -> None:
    check_inputs(folder / 'clip.bvh')


@door('layout .json', lambda: {'my.json': honest.as_json(honest.LAYOUT)})
def layout_json(folder: Path) -> None:
    check_layout(folder / 'my.json')


@door('layout .yml', lambda: {'my.yml': honest.yaml_layout()})
def layout_yml(folder: Path) -> None:
    check_layout(folder / 'my.yml')


def check_layout(path: Path) -> None:
    layout = get_layout(str(path))
    V = layout.num_joints
    places = [*layout.parents, layout.center, *layout.left, *layout.right, *(layout.align or ())]
    assert V and all(type(place) is int and 0 <= place < V for place in places)
    assert all(type(name) is str for name in (layout.name, *layout.joints))


def check_weights(state: dict) -> None:
    for name, value in state.items():
        assert type(name) is str and isinstance(value, torch.Tensor)
        if value.layout == torch.strided and value.device.type == 'cpu' and value.numel():
            size = value.untyped_storage().nbytes()
            assert value.numel() * value.itemsize <= max(size, 1) or 0 in value.stride()
            value.clone()


for _name, _files in {
    'training .pth': honest.training_checkpoint,
    'training .pth, old': partial(honest.training_checkpoint, _use_new_zipfile_serialization=False),
    'authors .pth': honest.authors_checkpoint,
}.items():
    door(f'weights, {_name}', lambda files=_files: {'epoch_3.pth': files()})(
        lambda folder: check_weights(read_weights(folder / 'epoch_3.pth')[0])
    )


@door('resume, training .pth', lambda: {'epoch_3.pth': honest.training_checkpoint()})
def resume(folder: Path) -> None:
    found = read_checkpoint(str(folder / 'epoch_3.pth'))
    check_weights(found['state_dict'])
    assert isinstance(found['meta'], dict)


def safetensors_file() -> Files:
    import safetensors.torch

    meta = dict(meta=json.dumps(dict(epoch=3)))
    return {'x.safetensors': safetensors.torch.save(honest.tiny_encoder().weights, metadata=meta)}


@door('weights, .safetensors', safetensors_file)
def weights_safetensors(folder: Path) -> None:
    state, meta = read_weights(folder / 'x.safetensors')
    check_weights(state)
    assert isinstance(meta, dict)


@door('encoder of a checkpoint', lambda: {'epoch_3.pth': honest.training_checkpoint()})
def encoder(folder: Path) -> None:
    pipeline = honest.tiny_encoder().pipeline
    cfg = dict(model=honest.tiny_model(), test_dataloader=dict(dataset=dict(pipeline=pipeline)))
    packed = PackedEncoder.from_config(Config(cfg), folder / 'epoch_3.pth')
    feats = SkeletonInferencer(packed, device='cpu')(
        honest.numbers(1, 9, 15, 3), layout='common-15'
    )
    assert np.isfinite(feats).all(), 'features are not finite'


@door('recognizer', lambda: {'actions.npz': honest.recognizer()})
def recognizer(folder: Path) -> None:
    learned = FewShotRecognizer.load(folder / 'actions.npz', device='cpu')
    (found,) = learned(honest.numbers(1, 9, 15, 3), layout='common-15')
    assert np.isfinite([found['similarity'], *found['scores'].values()]).all()
    assert found['label'] in learned.classes
    learned.summary()
    learned.save(folder / 'again.npz')


@cache
def _learned() -> FewShotRecognizer:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'actions.npz')
        path.write_bytes(honest.recognizer())
        return FewShotRecognizer.load(path, device='cpu')


@door('stream', lambda: {'frames.jsonl': honest.stream()})
def stream(folder: Path) -> None:
    """A line that cannot be read is a ValueError of that line alone, and the stream goes on."""
    live = LiveRecognizer(_learned(), 30)
    with naming(folder / 'frames.jsonl'):  # standard input, in truth
        content = (folder / 'frames.jsonl').read_bytes()
    for line in content.decode('utf-8', 'replace').split('\n'):
        if not line.strip():
            continue
        try:
            frame = parse_frame(line, live.layout.num_joints)
            change = live.push(frame.keypoints, frame.time, frame.scores)
        except ValueError:
            continue
        assert change is None or np.isfinite([change['time'], change['score']]).all()


@door(
    'few-shot lists',
    lambda: {
        'draws.json': honest.as_json(dict(what='x', draws=[{'0': ['a', 'b'], '1': ['c', 'd']}] * 2))
    },
)
def draws(folder: Path) -> None:
    for draw in read_draws(folder / 'draws.json'):
        assert all(
            type(label) is int and names == [*map(str, names)] for label, names in draw.items()
        )


@door('scores .pkl', lambda: {'dump.pkl': honest.dump()})
def scores_pkl(folder: Path) -> None:
    check_scores(folder / 'dump.pkl')


def scores_file() -> Files:
    arrays = dict(names=np.array(['a', 'b', 'c']), scores=honest.numbers(3, 4), labels=np.arange(3))
    return {'fused.npz': honest.as_zip({f'{key}.npy': honest.npy(a) for key, a in arrays.items()})}


@door('scores .npz', scores_file)
def scores_npz(folder: Path) -> None:
    check_scores(folder / 'fused.npz')


def check_scores(path: Path) -> None:
    found = read_scores(path)
    assert found.scores.ndim == 2 and len(found.scores) == len(found.names) == len(found.labels)
    assert found.scores.isfinite().all() and all(type(name) is str for name in found.names)
    assert found.labels.ndim == 1 and not found.labels.is_floating_point()


def training_log() -> Files:
    lines = [dict(step=n, epoch=1, loss=0.5, lr=0.1) for n in range(1, 4)]
    lines.append({'step': 1, 'knn/top1_k1': 0.5})
    return {'20250101/vis_data/scalars.jsonl': b'\n'.join(map(honest.as_json, lines)) + b'\n'}


@door('training log', training_log)
def log(folder: Path) -> None:
    for path in folder.rglob('*.jsonl'):
        path.rename(path.with_suffix('.json'))
    found = read_training_log(folder)
    assert all(type(step) is int for step in found.train)


def feature_file() -> Files:
    feats = FeatureSet(torch.eye(3), torch.arange(3), torch.arange(3), ['a', 'b', 'c'])
    with tempfile.TemporaryDirectory() as folder:
        _write_features(Path(folder, 'x.npz'), {'joints': dict(bank=feats, query=feats)})
        return {'x.npz': Path(folder, 'x.npz').read_bytes()}


@door('kept features', feature_file)
def kept_features(folder: Path) -> None:
    for row in _read_features(folder / 'x.npz').values():
        for found in row.values():
            assert found.features.isfinite().all() and len(found.features) == len(found.labels)


def record() -> Files:
    return {
        'training.json': honest.as_json(dict(identity=dict(seed='0'), seconds=1.0, result=None))
    }


@door('training.json', record)
def training_record(folder: Path) -> None:
    found = _read_record(folder, dict(seed='0'))
    assert np.isfinite(found['seconds']) and {'result', 'identity'} <= set(found)


def predictions() -> Files:
    told = class_results(['a', 'b'], [0, 1], [0, 0], ['walk', 'sit'], None)
    return {'predictions.json': honest.as_json(dict(told, predictions=[]))}


@door('predictions.json', predictions)
def read_predictions(folder: Path) -> None:
    assert isinstance(predictions_by_class(Config(), folder), dict)


@door('subset', lambda: {'subset.txt': b'# drawn\nclip0\nclip2\n'})
def subset(folder: Path) -> None:
    names = read_subset(str(folder / 'subset.txt'))
    assert names and len(set(names)) == len(names)


@door(
    'last_checkpoint',
    lambda: {
        'last_checkpoint': b'/old/place/epoch_3.pth',
        'epoch_3.pth': honest.training_checkpoint(),
    },
)
def last_checkpoint(folder: Path) -> None:
    found = latest_checkpoint(str(folder))
    assert found is None or os.path.isfile(found)
