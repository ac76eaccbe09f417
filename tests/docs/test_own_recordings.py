"""The page on one's own recordings does what it says."""

import json
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.preparation.layouts import get_layout
from stars_mm.utils.safe_pickle import load_pickle

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/own-recordings.md').read_text()
SHORT = [
    '--no-validate',
    '--cfg-options',
    'train_cfg.max_epochs=1',
    'stages.0.options.train_cfg.max_epochs=1',
]


def blocks(language):
    return re.findall(rf'^```{language}\n(.*?)^```', PAGE, re.M | re.S)


def commands():
    for block in blocks('bash'):
        yield from block.replace('\\\n', ' ').strip().splitlines()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A checkout in which the page's commands can be given as they stand."""
    for name in ('tools', 'configs'):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('ANN_FILE')
    monkeypatch.setenv('LOCAL_RANK', '0')
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)


def give(command, monkeypatch, *more):
    """Gives a command: the shell reads it, and this process runs it, which
    has imported torch already."""
    words = subprocess.run(
        ['bash', '-c', 'python() { printf \'%s\\0\' "$@"; }; ' + command],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split('\0')[:-1]
    monkeypatch.setattr(sys, 'argv', [*words, *more])
    runpy.run_path(words[0], run_name='__main__')


def film(rng, label):
    """(T, 17, 3): x and y in pixels and confidence; one limb swings."""
    T = int(rng.integers(30, 50))
    limb = [[5, 7, 9], [6, 8, 10], [13, 15], [14, 16]][label]
    clip = np.tile(rng.normal(0, 60, (17, 2)) + 500, (T, 1, 1))
    clip[:, limb, 1] += 50 * np.sin(np.linspace(0, 12, T))[:, None]
    clip += rng.normal(0, 2, clip.shape)
    return np.dstack([clip, rng.uniform(0.5, 1, (T, 17))])


def make_lab(folder, classes=4, subjects=6, takes=2):
    rng = np.random.default_rng(0)
    header = ','.join(
        f'{joint}_{axis}' for joint in get_layout('coco-17').joints for axis in ('x', 'y', 'score')
    )
    for label in range(classes):
        (folder / f'swing{label}').mkdir(parents=True)
        for subject in range(subjects):
            for take in range(takes):
                np.savetxt(
                    folder / f'swing{label}/s{subject:02}_{take}.csv',
                    film(rng, label).reshape(-1, 51),
                    '%.3f',
                    ',',
                    header=header,
                    comments='',
                )


def nearest_neighbours(cfg, checkpoint):
    """Accuracy of 1-NN in percent, written out anew."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model).eval()
        sets = [
            DATASETS.build(loader.dataset)
            for loader in (cfg.test_cfg.bank_dataloader, cfg.test_dataloader)
        ]
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    model.load_state_dict(state)
    features, labels = [], []
    for data in sets:
        clips = torch.stack([data[i]['inputs'] for i in range(len(data))])
        with torch.no_grad():
            found = model.extract_feat(clips.float()).double()
        features.append(found / found.norm(dim=1, keepdim=True))
        labels.append(np.array([data.get_data_info(i)['label'] for i in range(len(data))]))
    nearest = (features[1] @ features[0].T).argmax(dim=1).numpy()
    return 100 * np.mean(labels[0][nearest] == labels[1])


def test_from_folder_to_annotations(place, monkeypatch, capsys):
    make_lab(place / 'recordings')
    give(next(commands()), monkeypatch)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ['all', '32', '16'] in rows
    content = load_pickle('data/skeleton/custom.pkl')
    assert content['layout'] == 'coco-17'
    assert content['annotations'][0]['keypoint'].shape[2:] == (17, 2)


@pytest.mark.slow
def test_from_folder_to_neighbours(place, monkeypatch):
    make_lab(place / 'recordings')
    convert, train, test, *_ = commands()
    give(convert, monkeypatch)
    give(train, monkeypatch, *SHORT)
    run = place / 'work_dirs/stars_custom'
    assert (run / 'pretrain/epoch_1.pth').is_file()
    checkpoint = (run / 'last_checkpoint').read_text()
    give(test, monkeypatch)
    latest = max(run.glob('*/*.json'), key=lambda path: path.parent.name)
    scores = json.loads(latest.read_text().splitlines()[-1])
    cfg = Config.fromfile('configs/stars_custom.py')
    assert cfg.model.backbone.in_channels == 3  # x, y and confidence
    assert scores['knn/top1_k1'] == pytest.approx(nearest_neighbours(cfg, checkpoint))
    assert 'cluster/silhouette' in scores


def test_the_other_commands_are_known(place, capsys):
    """Their options exist, and so do the protocols."""
    known = {
        'tools/data/convert.py',
        'tools/train.py',
        'tools/test.py',
        'tools/analysis/evaluate.py',
    }
    helps = {}
    for command in commands():
        _, tool, *words = command.split()
        assert tool in known
        if tool not in helps:
            spec = runpy.run_path(tool, run_name='module')
            with pytest.raises(SystemExit):
                spec['parse_args'](['--help'])
            helps[tool] = capsys.readouterr().out
        for word in words:
            if word.startswith('--'):
                assert f' {word}' in helps[tool]
    for option in re.findall(r'`(--[a-z-]+)', PAGE):
        if option != '--save-predictions':  # of mmpose
            assert f' {option}' in helps['tools/data/convert.py']
    for protocol in ('knn', 'clusters', 'few-shot', 'linear', 'finetune'):
        assert protocol in helps['tools/analysis/evaluate.py']


def test_the_reader_reads(place, monkeypatch):
    (block,) = blocks('python')
    (place / 'my_reader.py').write_text(block)
    (place / 'takes').mkdir()
    rng = np.random.default_rng(0)
    rows = {}
    for subject in ('ann', 'bea'):
        rows[subject] = rng.normal(0, 1, (7, 51)).round(3)
        np.savetxt(place / f'takes/{subject}-sit-1.txt', rows[subject])
    (command,) = [c for c in commands() if '--reader my_reader.py' in c]
    give(command, monkeypatch)
    for clip in load_pickle('data/skeleton/takes.pkl')['annotations']:
        subject = clip['frame_dir'].split('-')[0]
        np.testing.assert_allclose(clip['keypoint'], rows[subject].reshape(1, 7, 17, 3), rtol=1e-6)


def test_the_layout_is_one(tmp_path):
    (block,) = blocks('json')
    (tmp_path / 'my_layout.json').write_text(block)
    layout = get_layout(str(tmp_path / 'my_layout.json'))
    assert (layout.num_joints, layout.root, layout.unit) == (5, 1, 'm')
    assert layout.left == (0, 3) and layout.right == (2, 4)
