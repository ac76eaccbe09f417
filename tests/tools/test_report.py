import importlib.util
import json
import pickle

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from stars_mm.engine.features import FeatureSet
from stars_mm.evaluation.report import RawFeatures, score
from stars_mm.evaluation.stages import last_checkpoint

CLASSES = ['walk', 'sit', 'wave']
CONFIG = """
custom_imports = dict(imports=['stars_mm'])
default_scope = 'mmaction'
runner_type = 'StagedRunner'
backbone = dict(
    type='SkeletonTransformer', embed_dims=8, depth=1, num_heads=2,
    num_frames=8, num_joints=25)
loader = dict(
    batch_size=8, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset', ann_file=r'{ann_file}', split='val',
        test_mode=True,
        pipeline=[
            dict(type='CenterSkeleton'),
            dict(type='TemporalCropResize', clip_len=8, p_interval=0.95),
            dict(type='FormatGCNInput', num_person=2),
            dict(type='PackActionInputs', meta_keys=('sample_idx', )),
        ]))
test_dataloader = loader
test_cfg = dict(
    type='FeatureTestLoop',
    bank_dataloader=dict(loader, dataset=dict(loader['dataset'],
                                              split='train')))
train_cfg = dict(by_epoch=True, max_epochs=3)
optim_wrapper = dict(type='OptimWrapper')
"""
STAGE_1 = (
    CONFIG
    + """
model = dict(
    type='MAMP', backbone=backbone, head=dict(type='MAMPHead'),
    neck=dict(type='MAMPDecoder', embed_dims=8, depth=1, num_heads=2))
"""
)
STAGE_2 = (
    CONFIG
    + """
stages = [dict(name='pretrain', config='stage1.py', options=dict())]
model = dict(
    type='STARS', backbone=backbone,
    head=dict(type='NNCLRHead', in_channels=8, hidden_channels=8,
              queue_size=16))
"""
)


@pytest.fixture(scope='module')
def make_report(repo_root):
    spec = importlib.util.spec_from_file_location(
        'make_report', repo_root / 'tools' / 'analysis' / 'make_report.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_annotations(path):
    rng = np.random.default_rng(0)
    annotations = [
        dict(
            frame_dir=f'c{i}',
            label=i % 3,
            total_frames=12,
            keypoint=rng.normal(size=(1, 12, 25, 3)).astype(np.float32),
        )
        for i in range(36)
    ]
    names = [clip['frame_dir'] for clip in annotations]
    with open(path, 'wb') as file:
        pickle.dump(
            dict(
                annotations=annotations,
                class_names=CLASSES,
                split=dict(train=names[:24], val=names[24:]),
            ),
            file,
        )


def fake_training(config, work_dir, seed):
    """What mmengine leaves behind: weights, pointer and log."""
    init_default_scope('mmaction')
    torch.manual_seed(seed)
    model = MODELS.build(Config.fromfile(config).model)
    log = work_dir / '20240101_000000' / 'vis_data'
    log.mkdir(parents=True)
    lines = [
        dict(loss=2.0, epoch=1, step=3),
        {'knn/top1_k1': 40.0, 'step': 1},
        dict(loss=1.0, epoch=3, step=9),
        {'knn/top1_k1': 50.0, 'step': 3},
    ]
    (log / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    torch.save(
        dict(meta=dict(epoch=3, iter=9, seed=5), state_dict=model.state_dict()),
        work_dir / 'epoch_3.pth',
    )
    # a path from before the folder was moved
    (work_dir / 'last_checkpoint').write_text('/gone/epoch_3.pth')


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_annotations(tmp_path / 'ann.pkl')
    for name, text in (('stage1.py', STAGE_1), ('stars.py', STAGE_2)):
        (tmp_path / name).write_text(text.replace('{ann_file}', str(tmp_path / 'ann.pkl')))
    fake_training('stage1.py', tmp_path / 'work_dirs/stars/pretrain', 1)
    fake_training('stars.py', tmp_path / 'work_dirs/stars', 2)
    return tmp_path


def test_whole_report(make_report, run):
    make_report.main(['stars.py'])
    folder = run / 'work_dirs/stars/report'
    results = json.loads((folder / 'results.json').read_text())
    assert list(results) == ['raw', 'raw_motion', 'random', 'mamp', 'stars', 'meta']
    names = {
        'knn_top1',
        'knn_k2',
        'knn_k5',
        'knn_k10',
        'nmi',
        'ari',
        'silhouette',
        'distance_ratio',
    }
    for row in list(results)[:-1]:
        assert set(results[row]) == names
        for name, value in results[row].items():
            # a mean distance is at most 2, and rarely far from the other
            scale = 100 if name.startswith('knn') else 1.5
            assert -scale <= value <= scale
    meta = results['meta']
    assert meta['clips'] == dict(bank=24, query=12)
    assert [s['row'] for s in meta['stages']] == ['mamp', 'stars']
    assert meta['commands'][0] == (
        'python tools/train.py stars.py --work-dir work_dirs/stars --seed 5'
    )
    assert set(meta['hidden_joints']) == {'decoder_cm', 'no_decoder_cm', 'standing_still_cm'}

    table = (folder / 'results.md').read_text()
    page = (folder / 'report.html').read_text()
    for row in ('random', 'mamp', 'stars'):
        assert f'| {results[row]["knn_top1"]:.1f} |' in table
        assert f'<td>{results[row]["silhouette"]:.3f}</td>' in page
    for name in ('curves.png', 'tsne.png', 'masked.gif'):
        assert f'src="{name}"' in page
        with Image.open(folder / name) as image:
            assert min(image.size) > 200
    assert not list(folder.parent.glob('.report-*'))

    # again: the same numbers in the place of the old ones
    before = (folder / 'results.json').read_bytes()
    make_report.main(['stars.py', '--work-dir', 'work_dirs/stars'])
    assert (folder / 'results.json').read_bytes() == before


def test_missing_checkpoint(make_report, run):
    (run / 'work_dirs/stars/last_checkpoint').unlink()
    with pytest.raises(FileNotFoundError) as error:
        make_report.main(['stars.py'])
    assert 'work_dirs/stars: holds no checkpoint' in str(error.value)
    assert ('python tools/train.py stars.py --work-dir work_dirs/stars --resume') in str(
        error.value
    )
    assert not (run / 'work_dirs/stars/report').exists()


def test_config_without_stages(make_report, run):
    with pytest.raises(ValueError, match='stages'):
        make_report.main(['stage1.py', '--work-dir', 'work_dirs/stars'])


def test_failure_leaves_the_old_report(make_report, run):
    folder = run / 'work_dirs/stars/report'
    folder.mkdir()
    (folder / 'results.json').write_text('old')
    (next(folder.parent.glob('2*')) / 'vis_data/scalars.json').write_text('broken\n{"step": 1}\n')
    with pytest.raises(ValueError, match='line 1 is not JSON'):
        make_report.main(['stars.py'])
    assert [path.name for path in folder.iterdir()] == ['results.json']
    assert (folder / 'results.json').read_text() == 'old'
    assert not list(folder.parent.glob('.report-*'))


@pytest.mark.parametrize('motion', [False, True])
def test_raw_rows_against_loops(motion):
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(30, 1, 2, 6, 4, 3, generator=generator)
    labels = torch.arange(30) % 4
    feats = RawFeatures(motion).extract_feat(clips)
    parts = [
        FeatureSet(feats[s], labels[s], torch.arange(30)[s]) for s in (slice(0, 20), slice(20, 30))
    ]
    scores = score(dict(bank=parts[0], query=parts[1]))

    vectors = clips[:, 0].double().numpy()
    if motion:
        vectors = np.stack([vectors[:, :, t + 1] - vectors[:, :, t] for t in range(5)], axis=2)
    right = 0
    for i in range(20, 30):
        best, nearest = -2.0, None
        for j in range(20):
            a, b = vectors[i].ravel(), vectors[j].ravel()
            cosine = sum(a * b) / np.sqrt(sum(a * a) * sum(b * b))
            if cosine > best:
                best, nearest = cosine, j
        right += int(labels[i] == labels[nearest])
    assert scores['knn_top1'] == pytest.approx(10 * right)


def test_row_of_clips_that_are_not_turned(make_report, run):
    def aligned(name):
        text = (
            (run / name)
            .read_text()
            .replace("type='CenterSkeleton'", "type='CenterSkeleton', align=(4, 8)")
        )
        (run / name).write_text(text)

    make_report.main(['stars.py'])
    path = run / 'work_dirs/stars/report/results.json'
    plain = json.loads(path.read_text())
    aligned('stars.py')
    make_report.main(['stars.py'])
    turned = json.loads(path.read_text())
    assert list(turned)[:2] == ['raw_unturned', 'raw']
    assert turned['raw_unturned'] == plain['raw'] != turned['raw']


def test_last_checkpoint(tmp_path):
    assert last_checkpoint(tmp_path) is None
    weights = tmp_path / 'weights' / 'epoch_1.pth'
    (tmp_path / 'last_checkpoint').write_text(f'{weights}\n')
    assert last_checkpoint(tmp_path) is None
    weights.parent.mkdir()
    weights.touch()
    assert last_checkpoint(tmp_path) == weights
    (tmp_path / 'epoch_1.pth').touch()
    assert last_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
