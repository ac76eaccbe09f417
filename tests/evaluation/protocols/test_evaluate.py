"""The evaluation tool on a recipe so small that it takes seconds."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from scipy.spatial.transform import Rotation
from sklearn.linear_model import RidgeClassifierCV
from sklearn.metrics import confusion_matrix
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KNeighborsClassifier

from stars_mm.cli import evaluate as evaluate_command
from stars_mm.cli.main import parse_command
from stars_mm.evaluation import functional
from stars_mm.evaluation.functional.feature_space import build_feature_space
from stars_mm.evaluation.functional.ridge import ALPHAS, ridge_accuracy
from stars_mm.evaluation.protocols import training_run
from stars_mm.preparation.annotation_file import save_annotations


def run_evaluate(argv):
    evaluate_command.main(parse_command('evaluate', argv))


@pytest.fixture
def evaluate(recipe, tmp_path):
    """``evaluate('knn linear', '--no-raw')``: runs the tool; gives what it wrote."""

    def _evaluate(protocols, options='', checkpoint='epoch_4.pth', config='recipe.py') -> dict:
        command = [str(recipe / config), str(recipe / checkpoint), *options.split()]
        command += ['--work-dir', str(tmp_path / 'run'), '--json', str(tmp_path / 'out.json')]
        run_evaluate([*command, '--protocols', *protocols.split()])
        return json.loads((tmp_path / 'out.json').read_text())

    return _evaluate


def clips_by_hand(loader, model=None, align=True) -> tuple:
    """Features of each clip on its own: raw ones without a model."""
    dataset_cfg = loader.dataset.copy()
    if not align:
        dataset_cfg.pipeline[0].align = None
    with DefaultScope.overwrite_default_scope('mmaction'):
        clips = list(DATASETS.build(dataset_cfg))
    samples, inputs = [[clip[key] for clip in clips] for key in ('data_samples', 'inputs')]
    with torch.no_grad():
        feats = [x.flatten() if model is None else model.extract_feat(x[None])[0] for x in inputs]
    labels = torch.cat([sample.gt_label for sample in samples])
    return torch.stack(feats), labels, [sample.frame_dir for sample in samples]


def neighbors(bank, query) -> dict:
    scores = {}
    for k in (1, 2, 5, 10):
        oracle = KNeighborsClassifier(k, metric='cosine').fit(*bank[:2])
        scores[f'top1_k{k}'] = 100 * oracle.score(*query[:2])
    return scores


@pytest.fixture(scope='module')
def by_hand(recipe):
    """Features of bank and query: of the encoder, raw, and not turned."""
    cfg = Config.fromfile(recipe / 'recipe.py')
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(recipe / 'epoch_4.pth')['state_dict'])
    loaders = cfg.test_cfg.bank_dataloader, cfg.test_dataloader
    rows = dict(checkpoint=dict(model=model), raw={}, raw_unturned=dict(align=False))
    return {row: [clips_by_hand(one, **own) for one in loaders] for row, own in rows.items()}


def test_features_protocols_against_features_by_hand(evaluate, by_hand, tmp_path):
    found = evaluate('knn few-shot clusters', '--episodes 7 --seed 2 --shots 1 3')
    assert list(found) == ['knn', 'few-shot', 'clusters', 'meta']
    bank, query = by_hand['checkpoint']
    assert found['knn']['scores'] == pytest.approx(neighbors(bank, query), abs=1e-3)
    clusters = functional.cluster_scores(*query[:2], 2)
    assert found['clusters']['scores'] == pytest.approx(clusters, abs=1e-3)
    raw = found['knn']['baselines']
    geometry = ['geometry', 'geometry_pulled']
    raw_rows = ['raw_unturned', 'raw', 'raw_best_of_turns', 'raw_half_whitened', 'raw_motion']
    assert list(raw) == [*raw_rows, *geometry]
    assert list(found['clusters']['baselines']) == [raw_rows[0], 'raw', *raw_rows[3:], *geometry]
    own = {row: by_hand[row] for row in ('raw', 'raw_unturned')}
    moves = [[feats.view(-1, 8, 27).diff(dim=1).flatten(1), *of] for feats, *of in own['raw']]
    for row, feats in dict(own, raw_motion=moves).items():
        assert raw[row] == pytest.approx(neighbors(*feats), abs=1e-3)
    assert raw['raw'] != raw['raw_unturned'] != raw['raw_motion']

    (path,) = (tmp_path / 'run').glob('few-shot_*/fewshot_exemplars.json')
    listed = json.loads(path.read_text())
    draws = functional.draw_exemplars(bank[1].tolist(), bank[2], 3, 7, seed=2)
    names = [bank[2][place] for place in draws[6][0]]
    assert (len(listed['draws']), listed['draws'][6]['0'], listed['shots']) == (7, names, [1, 3])
    wanted = functional.few_shot_accuracy(bank[0], *query[:2], draws, (3,))['mean', 3]
    scores, spread = (found['few-shot'][key]['mean_3shot'] for key in ('scores', 'spread'))
    assert (scores, spread) == pytest.approx(functional.mean_and_interval(wanted), abs=1e-3)

    checkpoint = found['meta']['checkpoint']
    assert (found['knn']['epoch'], checkpoint['epoch'], checkpoint['seed']) == (4, 4, 5)


def test_rows_without_learning_and_of_the_encoder(evaluate, by_hand, recipe, tmp_path):
    """Against features of each clip on its own, put into the spaces by plain functions."""
    found = evaluate('knn ridge', '--seed 2 --draws 2')
    labels = [feats[1] for feats in by_hand['raw']]
    clips = [feats[0].view(-1, 1, 1, 8, 9, 3) for feats in by_hand['raw']]

    # the best of five turns about the vertical, clip by clip
    similar = []
    for degrees in (-60, -30, 0, 30, 60):
        turn = Rotation.from_euler('y', degrees, degrees=True).as_matrix()
        turned = (clips[1].double().numpy() @ turn.T).reshape(21, -1)
        similar.append(cosine_similarity(turned, clips[0].flatten(1)))
    best = labels[0][np.max(similar, axis=0).argmax(axis=1)]
    raw = found['knn']['baselines']
    wanted = 100 * float((best == labels[1]).double().mean())
    assert raw['raw_best_of_turns']['top1_k1'] == pytest.approx(wanted, abs=1e-3)

    def in_space(name, parts) -> dict:
        feats = build_feature_space(name).compare(*parts)
        return neighbors(*zip(feats, labels))

    cfg = Config.fromfile(recipe / 'recipe.py')
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(recipe / 'epoch_4.pth')['state_dict'])
    with torch.no_grad():
        joints = [model.backbone(x[:, 0])[:, 0].mean(dim=2).mT for x in clips]  # one person
    parts = [
        dict(positions=functional.positions(x), distances=functional.joint_distances(x))
        | dict(raw=x.flatten(1), joints=of_joints)
        for x, of_joints in zip(clips, joints)
    ]
    for row in ('raw_half_whitened', 'geometry', 'geometry_pulled'):
        assert raw[row] == pytest.approx(in_space(row, parts), abs=1e-3)
    learned = found['knn']['spaces']['checkpoint']
    assert list(learned) == ['published', 'joints', 'combined', 'combined_pulled']
    assert learned['published']['scores'] == found['knn']['scores']
    for row in list(learned)[1:]:
        assert learned[row]['scores'] == pytest.approx(in_space(row, parts), abs=1e-3)
    random = found['knn']['spaces']['random']
    assert list(random) == list(learned) and random['joints'] != learned['joints']

    ridge = found['ridge']
    assert list(ridge['baselines']) == ['raw_half_whitened', 'geometry', 'geometry_pulled']
    feats = build_feature_space('joints').compare(*parts)
    accuracy = ridge_accuracy(feats[0], labels[0], feats[1], labels[1])
    own = ridge['spaces']['checkpoint']['joints']
    assert own['scores']['accuracy'] == pytest.approx(accuracy, abs=1e-3)
    assert set(own['scores']) == {'accuracy', 'accuracy_10pct'}
    assert set(own['spread']) == {'accuracy_10pct'}
    assert ridge['spread_of'] == 'standard deviation of 2 draws'

    # in words, where a learned feature loses
    page = (tmp_path / 'out.md').read_text()
    fixed = {f'`{row}`': scores['top1_k1'] for row, scores in raw.items()}
    for row, of_row in random.items():
        fixed[f'`{row}` of random weights'] = of_row['scores']['top1_k1']
    row = max(fixed, key=fixed.get)
    value, bound = learned['published']['scores']['top1_k1'], fixed[row]
    assert value < bound  # of an encoder that was never trained
    text = f'`published` {value:.1f} is {bound - value:.1f} points below {row} {bound:.1f}, which'
    assert f'- knn: {text} needs no training' in page
    assert len(found['knn']['lost_to']) == sum(
        of_row['scores']['top1_k1'] < bound for of_row in learned.values()
    )
    line = f'| checkpoint: with geometry | {learned["combined"]["scores"]["top1_k1"]:.1f} |'
    assert line in page


def test_small_banks_pairs_and_two_coordinates(make_recipe, save_model, tmp_path):
    """Five clips of two persons to compare with; 2D clips, which no turn is tried on."""
    folder = make_recipe(tmp_path)
    for shape, channels in (((2, 12, 9, 3), 3), ((1, 12, 9, 2), 2)):
        rng = np.random.default_rng(0)
        clips = [
            dict(frame_dir=f'c{i}', label=i % 2, total_frames=12, keypoint=rng.normal(size=shape))
            for i in range(11)
        ]
        names = [clip['frame_dir'] for clip in clips]
        splits = dict(xsub_train=names[:5], xsub_val=names[5:])
        save_annotations(str(folder / 'tiny.pkl'), clips, splits)
        text = (folder / 'recipe.py').read_text()
        text = text.replace('num_person=1', 'num_person=2')
        text += f'\nmodel["backbone"]["in_channels"] = {channels}\n'
        if channels == 2:
            text = text.replace('align=(4, 8)', 'align=None')
        recipe = folder / f'recipe{channels}.py'
        recipe.write_text(text)
        save_model(recipe, folder / 'epoch_1.pth', 0)
        arguments = [str(recipe), str(folder / 'epoch_1.pth'), '--work-dir', str(folder / 'run')]
        protocols = '--protocols knn few-shot ridge --shots 1 --episodes 3 --draws 1'.split()
        run_evaluate([*arguments, *protocols])
        found = json.loads((folder / 'run/evaluation.json').read_text())
        assert list(found['knn']['scores']) == ['top1_k1', 'top1_k2', 'top1_k5']
        assert ('raw_best_of_turns' in found['few-shot']['baselines']) == (channels == 3)
        assert ('raw_unturned' in found['knn']['baselines']) == (channels == 3)
        for name in ('knn', 'few-shot', 'ridge'):
            scores = found[name]['spaces']['checkpoint']['combined_pulled']['scores']
            assert np.isfinite(list(scores.values())).all()


def test_few_shot_after_several_data_sets(evaluate, recipe):
    """Whether training had the classes is looked up in the set that is judged."""
    judged = Config.fromfile(recipe / 'recipe.py').test_dataloader.dataset.ann_file
    other = shutil.copy(judged, recipe / 'other.pkl')
    for seed, file, novelty in (
        (0, other, 'other data than those of training'),
        (1, judged, 'training had clips of 1 of these 3 classes'),
    ):
        (recipe / 'union.py').write_text(f"""
_base_ = 'recipe.py'
own = dict(_base_.train_dataloader['dataset'])
sets = [dict(own, ann_file={str(other)!r}), dict(own, ann_file={str(file)!r}, labels=[0])]
train_dataloader = dict(dataset=dict(_delete_=True, type='UnionDataset', datasets=sets))
del own, sets
""")
        options = f'--no-raw --episodes 2 --shots 1 --seed {seed}'
        assert novelty in str(evaluate('few-shot', options, config='union.py')['few-shot'])


def written(folder: Path) -> dict:
    paths = [path for path in folder.rglob('*') if path.is_file() and path.suffix != '.log']
    return {path: path.stat().st_mtime_ns for path in paths}


def test_nothing_finished_is_repeated(evaluate, recipe, monkeypatch, tmp_path):
    """Neither results nor features, until what they rest on changes."""
    run, features = tmp_path / 'run', tmp_path / 'run/features'
    first = evaluate('knn', '--no-raw')
    before = written(run)
    # of the checkpoint, of random weights and of the clips alone
    assert len(list(features.iterdir())) == 3 and len(before) == 4
    moved = shutil.copy(recipe / 'epoch_4.pth', tmp_path / 'moved.pth')
    assert evaluate('knn', '--no-raw', checkpoint=moved)['knn'] == first['knn']
    assert written(run) == before

    # other settings read the same features; here, features that are spoilt
    for path in features.iterdir():
        arrays = dict(np.load(path))
        for name in arrays.keys() & {'bank/features/published', 'query/features/published'}:
            labels = arrays[name.replace('features/published', 'labels')]
            arrays[name] = np.eye(3, 16, dtype=np.float32)[labels]
        with open(path, 'wb') as file:
            np.savez(file, **arrays)
    spoilt = evaluate('clusters', '--no-raw --seed 9')
    assert spoilt['clusters']['scores']['silhouette'] == pytest.approx(1)

    # another encoder, other clips and another version of the code have their own
    state = torch.load(recipe / 'epoch_4.pth')
    state['state_dict']['backbone.norm.weight'][:8] *= -3
    torch.save(state, tmp_path / 'other.pth')
    other = evaluate('knn', '--no-raw', checkpoint=tmp_path / 'other.pth')
    assert other['knn']['scores'] != first['knn']['scores']
    # one of random weights by another seed, and one of another encoder
    assert len(list(features.iterdir())) == 5
    fewer = evaluate('knn', '--no-raw --cfg-options test_dataloader.dataset.labels=[0,2]')
    assert fewer['knn']['clips'] == dict(bank=40, query=14)
    assert len(list(features.iterdir())) == 8
    monkeypatch.setattr('stars_mm.utils.environment.__version__', '99.0')
    newer = evaluate('knn', '--no-raw')['knn']
    assert newer['scores'] == first['knn']['scores']
    assert newer['versions']['stars_mm'] == '99.0'
    assert len(list(features.iterdir())) == 11


def test_evaluation_of_batched_collation(evaluate, recipe, by_hand, tmp_path):
    """Collation in the workers, views made by the preprocessor."""
    cfg, meta_keys = Config.fromfile(recipe / 'recipe.py'), ('sample_idx', 'frame_dir')
    views = dict(type='PackViews', transforms=cfg.steps, num_person=1, meta_keys=meta_keys)
    for loader in (cfg.test_dataloader, cfg.test_cfg.bank_dataloader):
        loader.collate_fn = dict(type='collate_clips')
        loader.dataset.pipeline = [views]
    cfg.dump(tmp_path / 'fast.py')
    found = evaluate('knn', config=tmp_path / 'fast.py')['knn']
    assert found['scores'] == pytest.approx(neighbors(*by_hand['checkpoint']), abs=1e-3)
    assert found['baselines']['raw'] == pytest.approx(neighbors(*by_hand['raw']), abs=1e-3)


def test_a_training_and_its_table(evaluate, by_hand, run_in_process, monkeypatch, tmp_path):
    """Raw kNN stands beside."""
    monkeypatch.setattr(training_run, 'run_tool', run_in_process)
    options = '--seed 3 --protocol-options linear.train_cfg.max_epochs=1'
    found = evaluate('linear', options)
    linear = found['linear']
    assert (linear['epoch'], linear['seed']) == (1, 3) and 'spread' not in linear
    assert linear['scores']['accuracy'] == pytest.approx(linear['accuracy'], abs=1e-3)
    right = np.trace(linear['by_class']['confusion'])
    assert linear['accuracy'] == pytest.approx(100 * right / 21, abs=1e-3)
    assert [row['clips'] for row in linear['by_class']['per_class']] == [7, 7, 7]
    raw = found['meta']['comparison']['baselines']['raw']
    assert raw == pytest.approx(neighbors(*by_hand['raw']), abs=1e-3)
    table = (tmp_path / 'out.md').read_text()
    assert f' {raw["top1_k1"]:.1f} |' in table
    assert f'| {linear["accuracy"]:.1f} | 3 | 1 |' in table
    before = written(tmp_path / 'run')
    assert evaluate('linear', options)['linear'] == linear
    assert written(tmp_path / 'run') == before


CFG, TRAIN = '--cfg-options', '--protocol-options'
LABELS = 'train_dataloader.dataset.labels=[0,1]'
REFUSED = [
    ('liner', '', r'no "liner". Did you mean "linear"\? There are knn, clusters, .*semi-<percent>'),
    ('finetune', f'{CFG} protocols.finetune=None', 'name no config for "finetune", only.*linear'),
    ('finetune', '', "protocols.finetune='gone.py': there is no such config"),
    ('semi-2', '', 'semi-2: 2 % of 40 clips are 1; there must'),
    ('few-shot', '--shots 1 14', "'xsub_train' of .*tiny.pkl: 14 shots are more than class 1 has"),
    ('clusters', f'{CFG} test_dataloader.dataset.labels=[1]', "'xsub_val' .* has 1 classes"),
    ('linear', f'{TRAIN} linear.{LABELS}', r"linear\.py: 1 classes of split 'xsub_val' .*: wave\."),
    ('linear', f'{TRAIN} linear.model.backbone.depth=2', r'epoch_4\.pth: lacks 12 of'),
    ('linear', f'{TRAIN} train_cfg.max_epochs=1', 'options train_cfg.max_epochs=…: begins with'),
    ('knn', f'{CFG} test_dataloder.dataset.labels=[0]', "the option 'test_dataloder' does not"),
    ('linear', f'{TRAIN} linear.max_epochs=1', r"linear\.py: the option 'max_epochs' does not"),
    ('knn', f'{CFG} model.backbone.num_joints=5', r'epoch_4\.pth: does not fit'),
    ('semi-50', '--draws 0', '--draws: 0 must be'),
]


def test_refused_before_anything_runs(evaluate, tmp_path):
    for protocol, options, message in REFUSED:
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            evaluate(f'knn {protocol}', f'--no-raw {options}')
        assert not list(tmp_path.iterdir())

    bad, weight = tmp_path / 'bad.pth', torch.zeros(1)
    for state, message in (
        (dict(state_dict={'head.x': weight}), 'No encoder is in the file'),
        (dict(model={'joints_embed.proj.weight': weight}), "the authors' .*convert_checkpoint"),
    ):
        torch.save(state, bad)
        with pytest.raises(ValueError, match=rf'bad\.pth: lacks .*{message}'):
            evaluate('linear knn', checkpoint=bad)
    with pytest.raises(FileNotFoundError, match='none.pth: there is no such'):
        evaluate('knn', checkpoint=tmp_path / 'none.pth')
    with pytest.raises(ValueError, match=r'linear\.py: its test has no bank_'):
        evaluate('knn', config='linear.py')
    assert [path.name for path in tmp_path.iterdir()] == ['bad.pth']


def test_results_by_class(evaluate, by_hand, tmp_path):
    """With names, against scikit-learn on features by hand."""
    found = evaluate('knn ridge clusters few-shot', '--no-raw --episodes 2 --draws 1')
    assert ['by_class' in found[name] for name in ('clusters', 'few-shot')] == [False] * 2
    (bank, bank_labels, bank_names), (query, labels, names) = by_hand['checkpoint']
    classes = ['walk', 'sit', 'wave']
    oracle = KNeighborsClassifier(5, metric='cosine').fit(bank, bank_labels)
    distance, places = oracle.kneighbors(query)
    learned = [(x.double() - bank.double().mean(0)).numpy() for x in (bank, query)]
    learned = [x / learned[0].std() for x in learned]
    ridge = RidgeClassifierCV(ALPHAS).fit(learned[0], bank_labels).predict(learned[1])
    for name, predicted in (('knn', bank_labels[places[:, 0]].numpy()), ('ridge', ridge)):
        by_class = found[name]['by_class']
        assert by_class['classes'] == classes
        assert by_class['confusion'] == confusion_matrix(labels, predicted).tolist()
        wrong = [n for n in range(21) if predicted[n] != labels[n]]
        assert 0 < len(wrong) == len(by_class['mistakes'])
        key = 'top1_k1' if name == 'knn' else 'accuracy'
        assert found[name]['scores'][key] == pytest.approx(100 - 100 * len(wrong) / 21, abs=1e-3)
        for n, told in zip(wrong, by_class['mistakes']):
            assert (told['name'], told['label']) == (names[n], classes[labels[n]])
            assert told['predicted'] == classes[predicted[n]]
            near = told['neighbours']
            assert [one['name'] for one in near] == [bank_names[place] for place in places[n]]
            assert [one['label'] for one in near] == [classes[bank_labels[p]] for p in places[n]]
            cosine = [one['similarity'] for one in near]
            assert cosine == pytest.approx((1 - distance[n]).tolist(), abs=1e-3)
    page = (tmp_path / 'out.md').read_text()
    worst = min(found['ridge']['by_class']['per_class'], key=lambda row: row['accuracy'])
    assert f'| ridge | {worst["name"]} | {worst["accuracy"]:.1f} | {worst["clips"]} |' in page
    counts = np.array(found['knn']['by_class']['confusion']) * (1 - np.eye(3, dtype=int))
    row, column = np.unravel_index(counts.argmax(), (3, 3))
    confused = f'{classes[row]} → {classes[column]} ({counts.max()})'
    assert f'- knn, most often taken for another: {confused}' in page
    (path,) = (tmp_path / 'run').glob('few-shot_*/fewshot_exemplars.json')
    assert json.loads(path.read_text())['class_names'] == classes
