"""The report of a run: its rows, its folder, and the stages that it finds."""

import base64
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from stars_mm.cli import main
from stars_mm.engine.features import FeatureSet
from stars_mm.evaluation.functional import cluster_scores
from stars_mm.evaluation.protocols.stage_scores import score
from stars_mm.evaluation.protocols.trained_stages import row_of
from stars_mm.preparation.annotation_file import load_annotations, save_annotations
from stars_mm.visualization.masked_prediction import write_masked_gif

LOG = [
    dict(loss=2.0, epoch=1, step=3),
    {'knn/top1_k1': 40.0, 'step': 1},
    dict(loss=1.0, epoch=3, step=9),
    {'knn/top1_k1': 50.0, 'step': 3},
]


def page_data(page: str) -> dict:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(found)


@pytest.fixture
def run(make_recipe, save_model, tmp_path, monkeypatch):
    """What a training of the recipe leaves behind: weights, pointers and logs."""
    monkeypatch.chdir(make_recipe(tmp_path))
    few = partial(write_masked_gif, max_frames=2)
    monkeypatch.setattr('stars_mm.visualization.report.write_masked_gif', few)
    monkeypatch.setattr('stars_mm.visualization.embedding.tsne', lambda feats, seed: feats[:, :2])
    work_dir = tmp_path / 'work_dirs/recipe'
    for seed, (config, folder) in enumerate(
        (('stage1.py', work_dir / 'pretrain'), ('recipe.py', work_dir))
    ):
        log = folder / '20240101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text(''.join(json.dumps(line) + '\n' for line in LOG))
        save_model(config, folder / 'epoch_3.pth', seed, epoch=3, iter=9, seed=5)
        Config.fromfile(config).dump(folder / config)
        # a path from before the folder was moved
        (folder / 'last_checkpoint').write_text('/gone/epoch_3.pth')
    return work_dir


def test_whole_report(run, load_tool):
    main(['report', 'work_dirs/recipe'])
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
    shown = ['geometry', 'random', 'mamp', 'stars', 'stars_combined_pulled']
    shots = {f'exemplar_{n}shot{end}' for n in (1, 2, 5, 10) for end in ('', '_ci95')}
    for row in rows:
        wanted = knn if row == 'raw_best_of_turns' else knn | clusters
        assert set(results[row]) == wanted | (shots if row in shown else set())
    meta = results['meta']
    best = max(results[row]['knn_top1'] for row in (*clips, *encoders[:4]))
    lost = [row for row in encoders[4:] if results[row]['knn_top1'] < best]
    assert len(meta['lost_to']) == len(lost) > 0
    assert meta['clips'] == dict(bank=40, query=21)
    stages = [(s['row'], s['epochs'], s['iterations'], s['seed']) for s in meta['stages']]
    assert stages == [('mamp', 3, 9, 5), ('stars', 3, 9, 5)]
    assert meta['command'] == 'stars-mm report work_dirs/recipe'
    assert set(meta['hidden_joints']) == {'decoder_cm', 'no_decoder_cm', 'standing_still_cm'}

    table, page = ((folder / name).read_text() for name in ('results.md', 'report.html'))
    data = page_data(page)
    for row in ('random', 'mamp', 'stars'):
        assert f'| {results[row]["knn_top1"]:.1f} |' in table
    assert f'- {meta["lost_to"][0]}' in table and 'STARS (stage 2), with geometry, pulled' in table
    for name in ('curves.png', 'tsne.png', 'masked.gif'):
        with Image.open(folder / name) as image:
            assert min(image.size) > 200

    assert [row['row'] for row in data['results']['rows']] == rows
    assert data['lost'] == meta['lost_to'] and data['clips']['classes'] == ['walk', 'sit', 'wave']
    assert [space['row'] for space in data['spaces']] == shown
    assert [curve['knn'] for curve in data['curves']] == 2 * [[[3, 9], [40.0, 50.0]]]
    assert [clip['title'] for clip in data['masked']['clips']] == ['walk', 'sit', 'wave']
    # what the page takes as recognized is what is reported
    labels = np.frombuffer(base64.b64decode(data['clips']['labels']), '<i2')
    for space in data['spaces']:
        nearest = np.frombuffer(base64.b64decode(space['neighbors']), '<i4').reshape(61, -1)
        assert (nearest < 40).all() and (nearest[:40] != np.arange(40)[:, None]).all()
        right = labels[nearest[40:, 0]] == labels[40:]
        assert 100 * right.mean() == pytest.approx(results[space['row']]['knn_top1'], abs=1e-3)

    # a failure leaves the old report
    before = {path: path.read_bytes() for path in folder.iterdir()}
    (run / '20240101_000000/vis_data/scalars.json').write_text('broken\n{"step": 1}\n')
    with pytest.raises(SystemExit, match='line 1: is not JSON'):
        load_tool('analysis/make_report.py').main(['recipe.py', '--no-raw'])
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(folder.parent.glob('.report-*'))


def test_rows_are_named_by_what_was_trained(run):
    """Not by their place: another head is no STARS."""
    cfg = Config.fromfile('recipe.py')
    names = dict(NNCLRHead='stars', MoCoHead='moco', DINOHead='dino', OtherHead='other')
    for cfg.model.head.type, name in names.items():
        assert row_of(cfg) == name
    assert row_of(Config.fromfile('stage1.py')) == 'mamp'


def test_report_of_a_single_stage(run):
    main(['report', 'work_dirs/recipe/pretrain', '--no-raw', '--out', 'page'])
    assert Path('page/report.html').is_file()
    results = json.loads(Path('page/results.json').read_text())
    assert [stage['row'] for stage in results['meta']['stages']] == ['mamp']
    assert 'mamp' in results and 'stars' not in results and 'raw' not in results


def test_report_without_labels(run):
    """What needs classes is absent."""
    extra: dict = {}
    clips, splits = load_annotations('tiny.pkl', extra)
    clips = [{key: value for key, value in clip.items() if key != 'label'} for clip in clips]
    save_annotations('bare.pkl', clips, splits)
    options = [f'{part}.dataset.ann_file=bare.pkl' for part in
               ('test_dataloader', 'test_cfg.bank_dataloader', 'train_dataloader',
                'val_dataloader', 'val_cfg.bank_dataloader')]  # fmt: skip
    main(['report', 'work_dirs/recipe', '--cfg-options', *options])
    folder = run / 'report'
    assert list(json.loads((folder / 'results.json').read_text())) == ['meta']
    data = page_data((folder / 'report.html').read_text())
    assert data['clips']['classes'] == [] == data['results']['rows'] == data['few_shot']
    assert len(data['movies']['clips']) == 61 and len(data['spaces']) == 5
    assert (folder / 'tsne.png').is_file()


def test_runs_that_cannot_be_reported(run):
    with pytest.raises(SystemExit, match='error: gone: holds no .*a training leaves'):
        main(['report', 'gone'])
    (run / 'last_checkpoint').unlink()
    with pytest.raises(SystemExit, match='error: .*/recipe: holds no checkpoint.*--resume'):
        main(['report', str(run)])


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
