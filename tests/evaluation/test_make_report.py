"""The report of a run: its rows, its folder, and the stages that it finds."""

import json
from functools import partial

import pytest
import torch
from mmengine.config import Config
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from stars_mm.engine.features import FeatureSet
from stars_mm.evaluation.functional import cluster_scores
from stars_mm.evaluation.protocols.stage_scores import score
from stars_mm.evaluation.protocols.trained_stages import row_of
from stars_mm.visualization.masked_prediction import write_masked_gif

LOG = [
    dict(loss=2.0, epoch=1, step=3),
    {'knn/top1_k1': 40.0, 'step': 1},
    dict(loss=1.0, epoch=3, step=9),
    {'knn/top1_k1': 50.0, 'step': 3},
]


@pytest.fixture
def make_report(load_tool):
    return load_tool('analysis/make_report.py')


@pytest.fixture
def run(make_recipe, save_model, tmp_path, monkeypatch):
    """What a training of the recipe leaves behind: weights, pointers and logs."""
    monkeypatch.chdir(make_recipe(tmp_path))
    work_dir = tmp_path / 'work_dirs/recipe'
    for seed, (config, folder) in enumerate(
        (('stage1.py', work_dir / 'pretrain'), ('recipe.py', work_dir))
    ):
        log = folder / '20240101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text(''.join(json.dumps(line) + '\n' for line in LOG))
        save_model(config, folder / 'epoch_3.pth', seed, epoch=3, iter=9, seed=5)
        # a path from before the folder was moved
        (folder / 'last_checkpoint').write_text('/gone/epoch_3.pth')
    return work_dir


def test_whole_report(make_report, run, monkeypatch):
    few = partial(write_masked_gif, max_frames=2)
    monkeypatch.setattr('stars_mm.visualization.report.write_masked_gif', few)
    make_report.main(['recipe.py'])
    folder = run / 'report'
    results = json.loads((folder / 'results.json').read_text())
    clips = ['raw_unturned', 'raw', 'raw_best_of_turns', 'raw_half_whitened', 'raw_motion']
    clips += ['geometry', 'geometry_pulled']
    spaces = ['', '_joints', '_combined', '_combined_pulled']
    encoders = [f'{row}{space}' for row in ('random', 'mamp', 'stars') for space in spaces]
    rows = [*clips, *encoders]
    assert list(results) == [*rows, 'meta']
    knn = {'knn_top1', 'knn_k2', 'knn_k5', 'knn_k10'}
    clusters = {'nmi', 'ari', 'silhouette', 'distance_ratio'}
    for row in rows:
        wanted = knn if row == 'raw_best_of_turns' else knn | clusters
        assert set(results[row]) == wanted
    meta = results['meta']
    best = max(results[row]['knn_top1'] for row in (*clips, *encoders[:4]))
    lost = [row for row in encoders[4:] if results[row]['knn_top1'] < best]
    assert len(meta['lost_to']) == len(lost) > 0
    assert meta['clips'] == dict(bank=40, query=21)
    stages = [(s['row'], s['epochs'], s['iterations'], s['seed']) for s in meta['stages']]
    assert stages == [('mamp', 3, 9, 5), ('stars', 3, 9, 5)]
    train = 'python tools/train.py recipe.py --work-dir work_dirs/recipe --seed 5'
    assert meta['commands'][0] == train and len(meta['commands']) == 2
    assert set(meta['hidden_joints']) == {'decoder_cm', 'no_decoder_cm', 'standing_still_cm'}

    table, page = ((folder / name).read_text() for name in ('results.md', 'report.html'))
    for row in ('random', 'mamp', 'stars'):
        assert f'| {results[row]["knn_top1"]:.1f} |' in table
        silhouette = f'{results[row]["silhouette"]:.3f}'.replace('-', '−')
        assert f'<td>{silhouette}</td>' in page
    assert f'<li>{meta["lost_to"][0]}</li>' in page
    assert f'- {meta["lost_to"][0]}' in table and 'STARS (stage 2), with geometry, pulled' in table
    for name in ('curves.png', 'tsne.png', 'masked.gif'):
        assert f'src="{name}"' in page
        with Image.open(folder / name) as image:
            assert min(image.size) > 200

    # a failure leaves the old report
    before = {path: path.read_bytes() for path in folder.iterdir()}
    (run / '20240101_000000/vis_data/scalars.json').write_text('broken\n{"step": 1}\n')
    with pytest.raises(ValueError, match='line 1 is not JSON'):
        make_report.main(['recipe.py', '--no-raw'])
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(folder.parent.glob('.report-*'))


def test_rows_are_named_by_what_was_trained(run):
    """Not by their place: another head is no STARS."""
    cfg = Config.fromfile('recipe.py')
    names = dict(NNCLRHead='stars', MoCoHead='moco', DINOHead='dino', OtherHead='other')
    for cfg.model.head.type, name in names.items():
        assert row_of(cfg) == name
    assert row_of(Config.fromfile('stage1.py')) == 'mamp'


def test_runs_that_cannot_be_reported(make_report, run):
    with pytest.raises(ValueError, match='stages'):
        make_report.main(['stage1.py', '--work-dir', 'work_dirs/recipe'])
    (run / 'last_checkpoint').unlink()
    command = 'python tools/train.py recipe.py --work-dir work_dirs/recipe --resume'
    with pytest.raises(FileNotFoundError, match=f'/recipe: holds no checkpoint.*{command}'):
        make_report.main(['recipe.py'])


def test_scores_of_a_row():
    feats, labels = torch.randn(30, 6), torch.arange(30) % 4
    bank, query = (
        FeatureSet(feats[part], labels[part], torch.arange(30)[part])
        for part in (slice(0, 20), slice(20, 30))
    )
    wanted = cluster_scores(query.features, query.labels, 3)
    for k, name in ((1, 'knn_top1'), (2, 'knn_k2'), (5, 'knn_k5'), (10, 'knn_k10')):
        oracle = KNeighborsClassifier(k, metric='cosine').fit(bank.features, bank.labels)
        wanted[name] = 100 * oracle.score(query.features, query.labels)
    assert score(dict(bank=bank, query=query), seed=3) == pytest.approx(wanted, abs=1e-4)
