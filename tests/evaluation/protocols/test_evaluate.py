"""The evaluation tool on a recipe so small that it takes seconds."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from sklearn.neighbors import KNeighborsClassifier

from stars_mm.evaluation.functional import (
    cluster_scores,
    draw_exemplars,
    few_shot_accuracy,
    mean_and_interval,
)
from stars_mm.evaluation.protocols.table import markdown
from stars_mm.preparation.annotation_file import save_annotations

COMMON = """
backbone = dict(type='SkeletonTransformer', embed_dims=16, depth=1,
                num_heads=2, num_frames=8, num_joints=9)
pipeline = [
    dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
    dict(type='TemporalCropResize', clip_len=8, p_interval=0.95),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir'))]
data = dict(batch_size=8, num_workers=0, persistent_workers=False,
            dataset=dict(ann_file={ann_file!r}, num_classes=3,
                         pipeline=pipeline))
"""
RECIPE = (
    """
_base_ = ['{configs}/_base_/datasets/ntu60-xsub.py',
          '{configs}/_base_/schedules/stars_adamw_8xb16-20e.py',
          '{configs}/_base_/default_runtime.py']
"""
    + COMMON
    + """
model = dict(type='STARS', backbone=backbone,
             head=dict(type='NNCLRHead', in_channels=16, hidden_channels=8,
                       queue_size=16))
train_dataloader = data
val_dataloader = data
test_dataloader = data
val_cfg = dict(bank_dataloader=data)
test_cfg = dict(bank_dataloader=data)
protocols = dict(linear='linear.py', semi='linear.py', finetune='gone.py')
"""
)
LINEAR = (
    """
_base_ = ['{configs}/_base_/datasets/ntu60-xsub.py',
          '{configs}/_base_/schedules/linear_sgd_1xb32-50e.py',
          '{configs}/_base_/default_runtime.py']
"""
    + COMMON
    + """
model = dict(type='FrozenRecognizerGCN', backbone=backbone,
             data_preprocessor=dict(type='SkeletonPreprocessor'),
             cls_head=dict(type='LinearProbeHead', num_classes=3,
                           in_channels=16))
train_dataloader = data
val_dataloader = data
test_dataloader = data
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = test_evaluator = [dict(type='AccMetric')]
param_scheduler = []
train_cfg = dict(max_epochs=2, val_interval=1)
auto_scale_lr = dict(base_batch_size=8)
"""
)


@pytest.fixture(autouse=True)
def quick_dump(monkeypatch):
    """Laying out a config takes longer than training this model."""
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **kwargs: (text, True))


@pytest.fixture(scope='module')
def tool(repo_root):
    path = repo_root / 'tools/analysis/evaluate.py'
    spec = importlib.util.spec_from_file_location('evaluate_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def source(repo_root, tmp_path_factory) -> Path:
    """Folder with the recipe, its encoder and 40 + 21 clips."""
    folder = tmp_path_factory.mktemp('recipe')
    rng = np.random.default_rng(0)
    clips = []
    for i in range(61):
        wave = np.sin((1 + i % 3) * np.arange(12) / 3 + rng.uniform(0, 6))
        keypoint = rng.normal(size=(1, 1, 9, 3)) + wave[:, None, None]
        keypoint = keypoint + 0.3 * rng.normal(size=keypoint.shape)
        clips.append(
            dict(
                frame_dir=f'clip{i}',
                label=i % 3,
                total_frames=12,
                keypoint=keypoint.astype(np.float32),
            )
        )
    names = [clip['frame_dir'] for clip in clips]
    save_annotations(
        str(folder / 'tiny.pkl'), clips, dict(xsub_train=names[:40], xsub_val=names[40:])
    )
    for name, text in (('recipe.py', RECIPE), ('linear.py', LINEAR)):
        (folder / name).write_text(
            text.format(configs=repo_root / 'configs', ann_file=str(folder / 'tiny.pkl'))
        )
    torch.manual_seed(3)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(Config.fromfile(folder / 'recipe.py').model)
    torch.save(
        dict(state_dict=model.state_dict(), meta=dict(epoch=4, iter=20, seed=5)),
        folder / 'epoch_4.pth',
    )
    return folder


@pytest.fixture
def evaluate(tool, source, tmp_path):
    """Runs the tool; gives what it wrote."""

    def _evaluate(*protocols, options=(), checkpoint=None) -> dict:
        tool.main(
            [
                str(source / 'recipe.py'),
                str(checkpoint or source / 'epoch_4.pth'),
                '--work-dir',
                str(tmp_path / 'run'),
                '--json',
                str(tmp_path / 'out.json'),
                *options,
                '--protocols',
                *protocols,
            ]
        )
        return json.loads((tmp_path / 'out.json').read_text())

    return _evaluate


def clips_by_hand(cfg, loader, model=None, align=True) -> tuple:
    """Features of each clip on its own: raw ones without a model."""
    dataset_cfg = loader.dataset.copy()
    if not align:
        dataset_cfg.pipeline[0].align = None
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(dataset_cfg)
    feats, labels, names = [], [], []
    for clip in dataset:
        inputs = clip['inputs'].float()
        with torch.no_grad():
            feats.append(inputs.flatten() if model is None else model.extract_feat(inputs[None])[0])
        labels.append(int(clip['data_samples'].gt_label))
        names.append(clip['data_samples'].frame_dir)
    return torch.stack(feats), torch.tensor(labels), names


def neighbours(bank, query) -> dict:
    scores = {}
    for k in (1, 2, 5, 10):
        oracle = KNeighborsClassifier(k, metric='cosine')
        oracle.fit(bank[0].numpy(), bank[1].numpy())
        scores[f'top1_k{k}'] = 100 * oracle.score(query[0].numpy(), query[1].numpy())
    return scores


@pytest.fixture(scope='module')
def by_hand(source):
    """Features of bank and query: of the encoder, raw, and not turned."""
    cfg = Config.fromfile(source / 'recipe.py')
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(source / 'epoch_4.pth')['state_dict'])
    loaders = cfg.test_cfg.bank_dataloader, cfg.test_dataloader
    return {
        row: [clips_by_hand(cfg, loader, **options) for loader in loaders]
        for row, options in (
            ('checkpoint', dict(model=model)),
            ('raw', {}),
            ('raw_unturned', dict(align=False)),
        )
    }


def test_features_protocols_against_features_by_hand(evaluate, by_hand, tmp_path):
    found = evaluate(
        'knn',
        'few-shot',
        'clusters',
        options=['--episodes', '7', '--seed', '2', '--shots', '1', '3'],
    )
    assert list(found) == ['knn', 'few-shot', 'clusters', 'meta']
    bank, query = by_hand['checkpoint']
    assert found['knn']['scores'] == pytest.approx(neighbours(bank, query), abs=1e-3)
    assert found['clusters']['scores'] == pytest.approx(cluster_scores(*query[:2], 2), abs=1e-3)
    raw = found['knn']['baselines']
    assert list(raw) == ['raw_unturned', 'raw', 'raw_motion']
    for row in ('raw', 'raw_unturned'):
        assert raw[row] == pytest.approx(neighbours(*by_hand[row]), abs=1e-3)
    assert raw['raw'] != raw['raw_unturned'] != raw['raw_motion']

    draws = draw_exemplars(bank[1].tolist(), bank[2], 3, 7, seed=2)
    wanted = few_shot_accuracy(bank[0], *query[:2], draws, (1, 3))
    for (kind, n), values in wanted.items():
        mean, interval = mean_and_interval(values)
        key = f'{kind}_{n}shot'
        assert found['few-shot']['scores'][key] == pytest.approx(mean, 1e-4)
        assert found['few-shot']['spread'][key] == pytest.approx(interval, abs=1e-4)
    assert set(found['few-shot']['baselines']) == set(raw)
    assert 'training had clips of 3 of these 3 classes' in found['few-shot']['protocol']
    (listed,) = (tmp_path / 'run').glob('few-shot_*/fewshot_exemplars.json')
    assert len(json.loads(listed.read_text())['draws']) == 7

    assert found['knn']['epoch'] == 4
    checkpoint = found['meta']['checkpoint']
    assert (checkpoint['epoch'], checkpoint['seed']) == (4, 5)
    for result in list(found.values())[:-1]:
        assert result['seconds'] > 0 and result['versions']['torch']
        assert 'CPU' in result['hardware'] or '×' in result['hardware']


def written(folder: Path) -> dict:
    return {path: path.stat().st_mtime_ns for path in folder.rglob('*') if path.is_file()}


def test_nothing_finished_is_repeated(evaluate, source, tmp_path):
    """Neither results nor features, until what they rest on changes."""
    first = evaluate('knn', 'clusters', options=['--no-raw'])
    before = written(tmp_path / 'run')
    features = sorted((tmp_path / 'run/features').iterdir())
    assert len(features) == 2 and len(before) == 4
    again = evaluate('knn', 'clusters', options=['--no-raw'])
    assert written(tmp_path / 'run') == before
    assert again == first

    # other settings read the same features; here, features that are spoilt
    for path in features:
        arrays = dict(np.load(path))
        arrays['features'] = np.eye(3, 16, dtype=np.float32)[arrays['labels']]
        with open(path, 'wb') as file:
            np.savez(file, **arrays)
    spoilt = evaluate('clusters', options=['--no-raw', '--seed', '9'])
    assert spoilt['clusters']['scores']['silhouette'] == pytest.approx(1)
    assert evaluate('knn', options=['--no-raw'])['knn'] == first['knn']

    # another encoder, and other clips, have their own
    state = torch.load(source / 'epoch_4.pth')
    state['state_dict']['backbone.norm.weight'][:8] *= -3
    torch.save(state, tmp_path / 'other.pth')
    other = evaluate('knn', options=['--no-raw'], checkpoint=tmp_path / 'other.pth')
    assert other['knn']['scores'] != first['knn']['scores']
    assert len(list((tmp_path / 'run/features').iterdir())) == 4
    fewer = evaluate(
        'knn', options=['--no-raw', '--cfg-options', 'test_dataloader.dataset.labels=[0,2]']
    )
    assert fewer['knn']['clips'] == dict(bank=40, query=14)
    assert len(list((tmp_path / 'run/features').iterdir())) == 5
    moved = shutil.copy(source / 'epoch_4.pth', tmp_path / 'moved.pth')
    before = written(tmp_path / 'run')
    evaluate('knn', options=['--no-raw'], checkpoint=moved)
    assert written(tmp_path / 'run') == before


def test_trainings_and_their_table(evaluate, by_hand, tmp_path):
    """Real trainings in processes of their own; raw kNN stands beside."""
    options = ['--draws', '1', '--seed', '3', '--protocol-options', 'semi.train_cfg.max_epochs=1']
    found = evaluate('linear', 'semi-50', options=options)
    linear, semi = found['linear'], found['semi-50']
    assert (linear['epoch'], semi['epoch']) == (2, 1)
    assert (linear['seed'], semi['num_clips'], semi['draws']) == (3, 20, 1)
    for result in (linear, semi):
        assert 0 <= result['accuracy'] <= 100
        assert result['scores']['accuracy'] == pytest.approx(result['accuracy'], abs=1e-3)
        assert 'spread' not in result
    compared = found['meta']['comparison']['baselines']
    assert compared['raw'] == pytest.approx(neighbours(*by_hand['raw']), abs=1e-3)
    table = (tmp_path / 'out.md').read_text()
    raw = compared['raw']['top1_k1']
    assert '| knn, for comparison | k = 1 (%) |' in table
    assert f' {raw:.1f} |' in table
    assert f'| {linear["accuracy"]:.1f} | 3 | 2 |' in table
    assert 'linear, best epoch on the test set: no result' in table
    before = written(tmp_path / 'run')
    assert evaluate('linear', 'semi-50', options=options)['linear'] == linear
    assert written(tmp_path / 'run') == before


@pytest.mark.parametrize(
    'protocols, options, error, message',
    [
        (
            ['knn', 'liner'],
            [],
            ValueError,
            'there is no "liner". Did you mean '
            r'"linear"\? There are knn, clusters, .*semi-<percent>',
        ),
        (['semi-ten'], [], ValueError, 'there is no "semi-ten"'),
        (
            ['transfer'],
            [],
            ValueError,
            r'recipe\.py: its `protocols` name no '
            r"config for \"transfer\", only for \['finetune', 'linear', 'semi'\]",
        ),
        (
            ['finetune'],
            [],
            FileNotFoundError,
            "protocols.finetune='gone.py': there is no such config",
        ),
        (['semi-2'], [], ValueError, 'semi-2: 2 % of 40 clips are 1; there must'),
        (['semi-200'], [], ValueError, 'semi-200: 200 % of 40 clips are 80'),
        (
            ['few-shot'],
            ['--shots', '1', '14'],
            ValueError,
            r"split 'xsub_train' of .*tiny.pkl: 14 shots are more than class 1 has: "
            '13 clips',
        ),
        (
            ['few-shot'],
            ['--cfg-options', 'test_dataloader.dataset.labels=[0,2]'],
            ValueError,
            'FewShotMetric: 1 classes of .*xsub_train.* such as 1',
        ),
        (
            ['knn'],
            ['--cfg-options', 'test_cfg.bank_dataloader.dataset.labels=[0,2]'],
            ValueError,
            "KNNMetric: 1 classes of split 'xsub_val' .* such as 1",
        ),
        (
            ['clusters'],
            ['--cfg-options', 'test_dataloader.dataset.labels=[1]'],
            ValueError,
            "ClusterMetric: split 'xsub_val' .* has 1 classes",
        ),
        (
            ['linear'],
            ['--protocol-options', 'linear.train_dataloader.dataset.labels=[0,1]'],
            ValueError,
            r"linear\.py: 1 classes of split 'xsub_val' .* such as 2",
        ),
        (
            ['linear'],
            ['--protocol-options', 'linear.model.cls_head.num_classes=4'],
            ValueError,
            'num_classes=3, but model.cls_head.num_classes=4',
        ),
        (
            ['linear'],
            ['--protocol-options', 'linear.model.backbone.depth=2'],
            ValueError,
            r'epoch_4\.pth lacks 12 of',
        ),
        (
            ['linear'],
            ['--protocol-options', 'train_cfg.max_epochs=1'],
            ValueError,
            '--protocol-options train_cfg.max_epochs=…: begins with',
        ),
        (
            ['knn'],
            ['--cfg-options', 'model.backbone.num_joints=5'],
            ValueError,
            r'epoch_4\.pth does not fit',
        ),
        (
            ['knn'],
            ['--cfg-options', 'test_dataloader.dataset.ann_file=gone.pkl'],
            FileNotFoundError,
            'gone.pkl',
        ),
        (['semi-50'], ['--draws', '0'], ValueError, '--draws: 0 must be'),
    ],
)
def test_refused_before_anything_runs(evaluate, tmp_path, protocols, options, error, message):
    with pytest.raises(error, match=message):
        evaluate('knn', *protocols, options=['--no-raw', *options])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'state, message',
    [
        (dict(state_dict={'head.x': torch.zeros(1)}), 'No encoder is in the file'),
        (
            dict(model={'joints_embed.proj.weight': torch.zeros(1)}),
            "names of the authors' models.*convert_checkpoint.py",
        ),
    ],
)
def test_checkpoints_without_an_encoder(evaluate, tmp_path, state, message):
    torch.save(state, tmp_path / 'bad.pth')
    with pytest.raises(ValueError, match=rf'bad\.pth lacks .*{message}'):
        evaluate('linear', 'knn', checkpoint=tmp_path / 'bad.pth')
    with pytest.raises(FileNotFoundError, match='none.pth: there is no such'):
        evaluate('knn', checkpoint=tmp_path / 'none.pth')
    assert [path.name for path in tmp_path.iterdir()] == ['bad.pth']


def test_config_of_a_classifier(tool, source, tmp_path):
    with pytest.raises(ValueError, match=r'linear\.py: its test has no bank_'):
        tool.main(
            [
                str(source / 'linear.py'),
                str(source / 'epoch_4.pth'),
                '--work-dir',
                str(tmp_path),
                '--protocols',
                'knn',
            ]
        )


def test_table():
    common = dict(hardware='CPU', versions=dict(torch='2'), seconds=3.0, protocol='words')
    text = markdown(
        dict(
            knn=dict(
                scores=dict(top1_k1=71.25),
                seed=None,
                epoch=8,
                baselines=dict(raw=dict(top1_k1=60.0)),
                **common,
            ),
            clusters=dict(
                scores=dict(silhouette=-0.0512),
                seed=1,
                epoch=8,
                baselines=dict(raw=dict(silhouette=0.1)),
                **common,
            ),
            **{
                'semi-10': dict(
                    scores=dict(accuracy=80.0),
                    spread=dict(accuracy=1.24),
                    spread_of='standard deviation of 5 draws',
                    seed=0,
                    epoch=100,
                    baselines={},
                    best_of_test=dict(accuracy=82.0, epoch=None),
                    **{**common, 'hardware': 'GPU'},
                )
            },
            meta=dict(
                checkpoint=dict(path='a.pth', sha256='ab', epoch=8),
                config='c.py',
                command='python evaluate.py',
            ),
        )
    )
    lines = text.splitlines()
    assert lines[2:8] == [
        '| protocol | measure | raw coordinates | checkpoint | seed | epoch |',
        '| --- | --- | ---: | ---: | ---: | ---: |',
        '| knn | k = 1 (%) | 60.0 | 71.2 | – | 8 |',
        '| clusters | silhouette | 0.100 | −0.051 | 1 | 8 |',
        '| semi-10 | top-1 (%) | – | 80.0 ± 1.2 | 0 | 100 |',
        '| semi-10, best epoch on the test set: no result | top-1 (%) | – | (82.0) | 0 | – |',
    ]
    assert '- checkpoint: epoch 8; SHA-256 ab; config c.py' in lines
    assert '- semi-10: words; ±: standard deviation of 5 draws; 3 s' in lines
    assert '- knn, clusters: CPU; torch 2' in lines
    assert '- semi-10: GPU; torch 2' in lines
