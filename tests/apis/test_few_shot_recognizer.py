"""Learns, recognizes, refuses, is saved and comes back."""

import json
import pickle

import numpy as np
import pytest
import torch

from stars_mm.apis import FewShotRecognizer
from stars_mm.apis.encoder import PackedEncoder
from stars_mm.apis.packed_space import shipped_space
from stars_mm.cli import main
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.preparation.layouts import get_layout
from stars_mm.utils.input_error import InputError
from tests.apis.conftest import skeleton

LABELS = ('wave', 'sit', 'kick')


@pytest.fixture(scope='module')
def learned(encode, recordings):
    return FewShotRecognizer(encode).learn(recordings, layout='ntu-25')


def new(label: str) -> np.ndarray:
    return skeleton(label, take=3)


def test_names_what_it_has_not_seen(learned):
    """The layout is that of the examples: nobody says it again."""
    found = learned([new(label) for label in LABELS])
    assert [one['label'] for one in found] == list(LABELS)
    for one in found:
        assert one['scores'].keys() == set(LABELS) and one['score'] == max(one['scores'].values())
        assert [n['label'] for n in one['neighbours']][:2] == [one['label']] * 2
        assert one['neighbours'][0]['similarity'] == one['similarity']


def test_similarity_is_that_of_the_space(learned, encode):
    """By the parts, with their whitening written out."""
    found = learned(new('sit'))[0]
    space, parts = learned.space, encode.parts(new('sit'), learned.space.parts, layout='ntu-25')
    rows = []
    for part, whitening in space.whitenings.items():
        row = (parts[part].flatten(1).double() - whitening.mean) @ whitening.projection
        rows.append(row / row.norm())
    feature = torch.cat(rows, 1) / len(rows) ** 0.5
    near = (learned.features.double() @ feature[0]).max()
    assert found['similarity'] == pytest.approx(float(near), abs=1e-4)


def test_none_of_these(learned):
    """A body that turns somersaults is nearer to no class than classes are to each other."""
    clip = skeleton('wave', 0)
    angle = np.linspace(0, 4 * np.pi, clip.shape[1])
    turn = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], -1)
    clip[..., 1:] = np.einsum('tij,mtvj->mtvi', turn.reshape(-1, 2, 2), clip[..., 1:])
    one = learned(clip)[0]
    assert not one['known'] and one['similarity'] < learned.threshold
    assert all(one['known'] for one in learned([skeleton(label, 1) for label in LABELS]))


def test_saved_and_loaded(learned, tmp_path):
    path = tmp_path / 'actions.npz'
    learned.save(path)
    again = FewShotRecognizer.load(path, device='cpu')
    clips = [new(label) for label in LABELS]
    assert again(clips) == learned(clips)
    assert again.summary() == learned.summary()
    again.threshold = 2.0
    again.save(path)
    stricter = FewShotRecognizer.load(path, device='cpu')
    assert not any(one['known'] for one in stricter(clips))
    with np.load(path, allow_pickle=False) as file:  # numbers and text alone
        assert all(file[key].dtype.kind in 'fU' for key in file.files)


def test_classes_come_and_go(encode, recordings, learned):
    files = {label: [str(recordings / label / f'{n}.npy') for n in range(2)] for label in LABELS}
    two = {label: files[label] for label in LABELS[:2]}
    recognizer = FewShotRecognizer(encode).learn(two, layout='ntu-25')
    assert recognizer(new('kick'))[0]['label'] != 'kick'
    recognizer.add({'kick': files['kick']})
    clips = [new(label) for label in LABELS]

    def judged(one):
        return [(o['label'], o['score'], o['known']) for o in one(clips)]

    assert judged(recognizer) == judged(FewShotRecognizer(encode).learn(files, layout='ntu-25'))
    recognizer.remove('wave')
    assert recognizer.classes == ['sit', 'kick']
    assert [one['label'] for one in recognizer(clips)][1:] == ['sit', 'kick']
    recognizer.remove('sit')
    with pytest.raises(ValueError, match="'kick' cannot be removed"):
        recognizer.remove('kick')
    with pytest.raises(ValueError, match="'jump' cannot be removed. Known are kick"):
        recognizer.remove('jump')


def test_shots_are_drawn_by_the_seed(encode, recordings):
    first, same, other = (
        FewShotRecognizer(encode).learn(recordings, shots=1, seed=seed, layout='ntu-25').examples
        for seed in (0, 0, 2)
    )
    assert first == same != other and len(first) == 3


def test_unlabeled_clips_are_neighbors(encode, recordings, learned, tmp_path):
    """Drawn to mutual neighbors: the features change, and the file keeps what is needed."""
    clips = [skeleton(label, take) for label in LABELS for take in (4, 5)]
    more = FewShotRecognizer(encode).learn(recordings, unlabeled=clips, layout='ntu-25')
    found = more([new(label) for label in LABELS])
    assert [one['label'] for one in found] == list(LABELS)
    assert found[0]['similarity'] != learned(new('wave'))[0]['similarity']
    more.save(tmp_path / 'more.npz')
    again = FewShotRecognizer.load(tmp_path / 'more.npz', device='cpu')
    assert again(new('wave')) == more(new('wave'))


def test_an_encoder_without_a_space_gets_one_of_all_that_is_known(encode, recordings):
    from dataclasses import replace

    from stars_mm.apis import SkeletonInferencer

    own = SkeletonInferencer(replace(encode.encoder, name='mine'), device='cpu')
    assert shipped_space(own.encoder) is None and shipped_space(encode.encoder) is not None
    recognizer = FewShotRecognizer(own).learn(recordings, layout='ntu-25')
    bank = own.parts(recordings, recognizer.space.parts, layout='ntu-25')
    expected = recognizer.space.__class__(recognizer.space.parts).fit(bank).transform(bank)
    found, expected = (x @ x.t() for x in (recognizer.features, expected))
    torch.testing.assert_close(found.sum(), expected.sum(), atol=1e-3, rtol=1e-3)
    assert [o['label'] for o in recognizer([new(label) for label in LABELS])] == list(LABELS)


def test_how_examples_were_read_is_not_said_again(encode, recordings, learned, tmp_path):
    """Millimetres, z upwards: neither the layout, nor the unit, nor the axis is given twice; a file
    that says its own joints is read by them."""
    for label in LABELS:
        for take in range(2):
            clip = 1000 * skeleton(label, take)[..., [0, 2, 1]] * (1, -1, 1)
            (tmp_path / 'mm' / label).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / 'mm' / label / f'{take}.npy', clip)
    how = dict(layout='ntu-25', unit='mm', up='z')
    FewShotRecognizer(encode).learn(str(tmp_path / 'mm'), **how).save(tmp_path / 'mm.npz')
    recognizer = FewShotRecognizer.load(tmp_path / 'mm.npz', device='cpu')
    for one, other in zip(recognizer(str(tmp_path / 'mm')), learned(recordings)):
        assert one['label'] == other['label']
        assert one['similarity'] == pytest.approx(other['similarity'], abs=1e-3)

    coco = get_layout('coco-17')
    names = ','.join(f'{joint}_{axis}' for joint in coco.joints for axis in 'xy')
    rows = np.random.default_rng(0).uniform(0, 300, (12, 34))
    text = '\n'.join([names, *(','.join(map(str, row)) for row in rows)])
    (tmp_path / 'image.csv').write_text(text)
    expected = learned(rows.reshape(12, 17, 2), layout='coco-17')[0]
    assert recognizer(str(tmp_path / 'image.csv'))[0]['scores'] == pytest.approx(
        expected['scores'], abs=2e-3
    )
    clip = dict(frame_dir='a', label=0, keypoint=skeleton('sit', 1)[:, :, :20], total_frames=47)
    save_annotations(str(tmp_path / 'other.pkl'), [clip], {}, layout='kinect-20')
    (one,) = recognizer.encode.read(str(tmp_path / 'other.pkl'), **vars(recognizer.reading({})))
    assert one.layout.name == 'kinect-20'


def about(arrays: dict, **changes) -> np.ndarray:
    return np.array(json.dumps(dict(json.loads(str(arrays['about'])), **changes)))


class Evil:
    def __reduce__(self):
        return (open, ('evil', 'w'))


@pytest.mark.parametrize(
    'change',
    [
        lambda arrays: arrays.pop('features'),
        lambda arrays: arrays.update(features=arrays['features'][:2]),
        lambda arrays: arrays.update(about=np.array('{"format": "other"}')),
        lambda arrays: arrays.update(about=np.array([Evil()], object)),
        lambda arrays: arrays.update(encoder=np.array('{}')),
        lambda arrays: arrays.pop('space/joints/mean'),
        lambda arrays: arrays['space/joints/mean'].fill(np.nan),
        lambda arrays: arrays['weights/backbone.norm.bias'].fill(np.inf),
        lambda arrays: arrays.update(features=arrays['features'] * 1e30),
        lambda arrays: arrays.update(features=arrays['features'][:, :5]),
        lambda arrays: arrays.update(about=about(arrays, threshold=float('nan'))),
        lambda arrays: arrays.update(about=about(arrays, frames=[40] * 5 + [10**9])),
        lambda arrays: arrays.update(about=about(arrays, frames=[40] * 5 + [0])),
        lambda arrays: arrays.update(about=about(arrays, fps=1e-300)),
    ],
)
def test_what_is_no_recognizer_is_refused(learned, tmp_path, monkeypatch, change):
    monkeypatch.chdir(tmp_path)
    learned.save('a.npz')
    with np.load('a.npz') as file:
        arrays = dict(file)
    change(arrays)
    np.savez('b.npz', **arrays)
    with pytest.raises(ValueError, match='b.npz: .*(recognizer|encoder)'):
        FewShotRecognizer.load('b.npz')
    assert not (tmp_path / 'evil').exists()


def test_torn_files_are_named(learned, tmp_path):
    learned.save(tmp_path / 'a.npz')
    whole = (tmp_path / 'a.npz').read_bytes()
    for part in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / 'b.npz').write_bytes(whole[:part])
        with pytest.raises(ValueError, match='b.npz: cannot be read .*A recognizer is what'):
            FewShotRecognizer.load(tmp_path / 'b.npz')
    (tmp_path / 'b.npz').write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match='b.npz: cannot be read .*A recognizer is what'):
        FewShotRecognizer.load(tmp_path / 'b.npz')
    with pytest.raises(FileNotFoundError, match='stars-mm learn makes one'):
        FewShotRecognizer.load(tmp_path / 'gone.npz')


def test_commands(recordings, tmp_path, capsys):
    """learn, recognize, learn --add and --remove, as one types them."""
    out, found = str(tmp_path / 'actions.npz'), tmp_path / 'found.json'
    main(['learn', str(recordings), out, '--layout', 'ntu-25'])
    assert 'wave  2 examples' in capsys.readouterr().out
    np.save(tmp_path / 'new.npy', new('kick'))
    main(['recognize', out, str(tmp_path / 'new.npy'), '--json', str(found)])
    assert capsys.readouterr().out.split()[::2] == ['new', 'kick']
    (one,) = json.loads(found.read_text())
    assert one['name'] == 'new' and one['label'] == 'kick' and one['known'] is True
    main(['learn', out, '--remove', 'kick'])
    assert FewShotRecognizer.load(out).classes == ['sit', 'wave']
    with pytest.raises(SystemExit, match='actions.txt: a recognizer is saved as .npz'):
        main(['learn', str(tmp_path / 'gone'), 'actions.txt'])  # said before anything is read
    (tmp_path / 'more').mkdir()
    (recordings / 'kick').rename(tmp_path / 'more' / 'kick')
    main(['learn', str(tmp_path / 'more'), out, '--add'])
    assert FewShotRecognizer.load(out).classes == ['sit', 'wave', 'kick']
    (tmp_path / 'more' / 'kick').rename(recordings / 'kick')


def test_nothing_learned_yet(encode):
    with pytest.raises(ValueError, match='call learn'):
        FewShotRecognizer(encode)(new('wave'), layout='ntu-25')
    with pytest.raises(ValueError, match="classifier='svm': choose auto"):
        FewShotRecognizer(encode, 'svm')


@pytest.mark.parametrize('place', ['data_preprocessor', 'backbone'])
def test_a_layout_of_a_strangers_model_is_no_file(learned, place):
    """Neither where it belongs nor where a part is built in the place of another."""
    arrays = learned.encode.encoder.to_arrays()
    about = json.loads(str(arrays['encoder']))
    for layout in ('nw-ucla', dict(num_node=2, inward=[[1, 0]], center=0), 'a.json', ['a.json']):
        about['model'][place] = dict(type='StreamPreprocessor', stream='bone', layout=layout)
        arrays['encoder'] = np.array(json.dumps(about))
        if place == 'data_preprocessor' and isinstance(layout, (dict, str)) and layout != 'a.json':
            PackedEncoder.from_arrays(arrays, 'a.npz')
        elif 'a.json' in layout:
            with pytest.raises(InputError, match=r"a.npz: layout=.*a.json'.* is none of"):
                PackedEncoder.from_arrays(arrays, 'a.npz')
