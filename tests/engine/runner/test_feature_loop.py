import json
import pickle
from pathlib import Path

import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.dist import get_rank
from mmengine.runner import load_checkpoint
from sklearn.neighbors import KNeighborsClassifier

from stars_mm.engine.features import extract_features
from stars_mm.evaluation.functional import cluster_scores, joint_distances, knn_accuracy, positions
from stars_mm.evaluation.functional.feature_space import build_feature_space
from stars_mm.evaluation.functional.ridge import ridge_accuracy


@pytest.fixture
def cfg(load_cfg, trained, tmp_path):
    return load_cfg(tmp_path / 'run', dict(load_from=str(trained / 'epoch_4.pth')))


@torch.no_grad()
def features_by_hand(cfg, dataset_cfg) -> tuple:
    """Each clip on its own through the encoder, and a plain mean."""
    model = MODELS.build(cfg.model)
    load_checkpoint(model, cfg.load_from, map_location='cpu')
    model.eval()
    dataset = DATASETS.build(dataset_cfg)
    feats, labels = [], []
    for clip in dataset:
        persons = clip['inputs'][0].float()  # (M, T, V, C)
        tokens = model.backbone.encode(persons)  # (M, L, C)
        feats.append(tokens.mean(dim=(0, 1)))
        labels.append(int(clip['data_samples'].gt_label))
    return torch.stack(feats), torch.tensor(labels)


@pytest.fixture
def by_hand(cfg) -> dict:
    """What validation and test should find."""
    bank = features_by_hand(cfg, cfg.test_cfg.bank_dataloader.dataset)
    query = features_by_hand(cfg, cfg.test_dataloader.dataset)
    knn = {}
    for k in (1, 3):
        oracle = KNeighborsClassifier(k, metric='cosine').fit(*bank)
        knn[f'knn/top1_k{k}'] = 100 * oracle.score(*query)
    weighted = knn_accuracy(*bank, *query, ks=(5,), temperature=0.1)
    clusters = cluster_scores(*query)
    return dict(
        test={**knn, **{f'cluster/{key}': value for key, value in clusters.items()}},
        val={**knn, 'knn_weighted/top1_k5': weighted['top1_k5']},
    )


@pytest.mark.parametrize('mode', ['val', 'test'])
def test_metrics_equal_those_by_hand(cfg, build, by_hand, mode):
    found = getattr(build(cfg), mode)()
    assert found == pytest.approx(by_hand[mode], rel=1e-4)
    assert len(set(found.values())) > 1


def test_two_processes_give_the_same(cfg, build, by_hand, two_ranks):
    """21 and 11 clips on two ranks: both are padded."""
    cfg.test_evaluator.append(dict(type='FewShotMetric', shots=(1, 3), episodes=10))
    one = build(cfg).test()
    assert one.keys() > by_hand['test'].keys()
    cfg.launcher = 'pytorch'

    def test(rank):
        assert get_rank() == rank
        runner = build(cfg)
        assert len(runner.test_dataloader.sampler) == 6
        return runner.test()

    for found in two_ranks(test):
        assert found == pytest.approx(one, rel=1e-4, abs=1e-6)


@torch.no_grad()
def parts_by_hand(cfg, dataset_cfg) -> tuple:
    """Each clip on its own: what its geometry is, and a plain mean of every joint's tokens."""
    model = MODELS.build(cfg.model)
    load_checkpoint(model, cfg.load_from, map_location='cpu')
    model.eval()
    parts, labels = dict(positions=[], distances=[], joints=[]), []
    for clip in DATASETS.build(dataset_cfg):
        inputs = clip['inputs'][None].float()
        tokens = model.backbone.encode(inputs[0, 0]).unflatten(1, (4, 5))  # (M, T′, V′, C)
        parts['joints'].append(tokens.mean(dim=(0, 1))[None])
        parts['positions'].append(positions(inputs))
        parts['distances'].append(joint_distances(inputs))
        labels.append(int(clip['data_samples'].gt_label))
    return {part: torch.cat(rows) for part, rows in parts.items()}, torch.tensor(labels)


SPACES = ['combined_pulled', dict(parts=['joints', 'positions'], components=3, power=1.0)]


@pytest.mark.parametrize('space', SPACES)
def test_metrics_read_a_feature_space(cfg, build, space, two_ranks):
    """By one process and by two; the bank alone decides, whatever the query is."""
    cfg.test_cfg.feature_space = space
    cfg.test_evaluator.append(dict(type='FewShotMetric', shots=(1,), episodes=10))
    cfg.test_evaluator.append(dict(type='RidgeMetric', draws=2))
    bank, bank_labels = parts_by_hand(cfg, cfg.test_cfg.bank_dataloader.dataset)
    query, labels = parts_by_hand(cfg, cfg.test_dataloader.dataset)
    one = build(cfg).test()
    feats = build_feature_space(space).compare(bank, query)
    for k in (1, 3):
        oracle = KNeighborsClassifier(k, metric='cosine').fit(feats[0], bank_labels)
        assert one[f'knn/top1_k{k}'] == pytest.approx(100 * oracle.score(feats[1], labels))
    wanted = ridge_accuracy(feats[0], bank_labels, feats[1], labels)
    assert one['ridge/accuracy'] == pytest.approx(wanted)
    clusters = {f'cluster/{key}': value for key, value in cluster_scores(feats[1], labels).items()}
    assert {key: one[key] for key in clusters} == pytest.approx(clusters, rel=1e-4)
    assert 'fewshot/exemplar_1shot' in one
    cfg.launcher = 'pytorch'
    for found in two_ranks(lambda rank: build(cfg).test()):
        assert found == pytest.approx(one, rel=1e-4, abs=1e-6)


def test_validation_in_a_space_each_time_anew(cfg, build):
    cfg.val_cfg.feature_space = 'joints'
    loop = build(cfg).build_val_loop(cfg.val_cfg)
    loop.runner.load_or_resume()
    first = loop.run()
    for parameter in loop.runner.model.backbone.parameters():
        parameter.data.mul_(-0.5)
    other = loop.run()
    assert other != first
    for parameter in loop.runner.model.backbone.parameters():
        parameter.data.mul_(-2)
    assert loop.run() == first
    with pytest.raises(ValueError, match="feature_space='joint': there are"):
        build(cfg).build_val_loop(dict(cfg.val_cfg, feature_space='joint'))


def test_unfit_clips_are_refused_before_features(cfg, build):
    """The loops are built before training, too."""
    cfg.val_evaluator = [dict(type='KNNMetric', topk_neighbors=(1, 22))]
    with pytest.raises(ValueError, match=r'more than the 21 .*xsub_train'):
        build(cfg).build_val_loop(cfg.val_cfg)


def test_dump_and_extract_features(cfg, build, tmp_path):
    """``--dump`` keeps the features of both sets, told apart."""
    path = tmp_path / 'features.pkl'
    cfg.test_evaluator.append(dict(type='DumpResults', out_file_path=str(path)))
    told = path.with_suffix('.json')
    cfg.test_evaluator.append(dict(type='FeaturePredictions', out_file_path=str(told)))
    runner = build(cfg)
    runner.test()
    dumped = pickle.loads(path.read_bytes())
    for role, dataset in (
        ('bank', cfg.test_cfg.bank_dataloader.dataset),
        ('query', cfg.test_dataloader.dataset),
    ):
        chosen = [sample for sample in dumped if sample['role'] == role]
        feats, labels = features_by_hand(cfg, dataset)
        found = torch.stack([sample['feature'] for sample in chosen])
        torch.testing.assert_close(found, feats, rtol=1e-4, atol=1e-5)
        assert [int(sample['gt_label']) for sample in chosen] == labels.tolist()
        assert [sample['sample_idx'] for sample in chosen] == list(range(len(labels)))

    told = json.loads(told.read_text())
    assert [clip['name'] for clip in told['predictions']] == [f'clip{21 + n}' for n in range(11)]
    assert [clip['label'] for clip in told['predictions']] == [f'class {n}' for n in labels]

    found = extract_features(runner.model, runner.test_dataloader)
    torch.testing.assert_close(found.features, feats, rtol=1e-4, atol=1e-5)
    assert torch.equal(found.labels, labels)
    assert found.sample_idx.tolist() == list(range(11))
    assert found.names == [f'clip{21 + n}' for n in range(11)]


def test_training_does_not_depend_on_validation(
    load_cfg, build, trained, tmp_path, assert_same_run
):
    """Nor on the seed's being written down: none is 0."""
    often = {'train_cfg.val_interval': 1}
    build(load_cfg(tmp_path, {**often, 'stages.0.options': often})).train()
    assert_same_run(tmp_path, trained)
    assert_same_run(tmp_path / 'pretrain', trained / 'pretrain')


def test_clips_without_a_label_are_not_judged(cfg, build, ann_file, tmp_path):
    """What is found is what a file without them gives."""
    content = pickle.loads(Path(ann_file).read_bytes())
    for number in (3, 4, 22, 31):
        del content['annotations'][number]['label']
    paths = [tmp_path / 'some.pkl', tmp_path / 'without.pkl', tmp_path / 'none.pkl']
    paths[0].write_bytes(pickle.dumps(content))
    kept = [clip for clip in content['annotations'] if 'label' in clip]
    names = {clip['frame_dir'] for clip in kept}
    split = {k: [name for name in v if name in names] for k, v in content['split'].items()}
    paths[1].write_bytes(pickle.dumps(dict(split=split, annotations=kept)))
    for clip in kept:
        del clip['label']
    paths[2].write_bytes(pickle.dumps(content))
    cfg.test_evaluator += [dict(type='RidgeMetric'), dict(type='FewShotMetric', shots=(1, 2))]
    found = []
    for path in map(str, paths):
        cfg.test_dataloader.dataset.ann_file = path
        cfg.test_cfg.bank_dataloader.dataset.ann_file = path
        if path.endswith('none.pkl'):
            with pytest.raises(ValueError, match='none.pkl: no clip has a label.*Label some'):
                build(cfg).test()
        else:
            found.append(build(cfg).test())
    assert found[0] == pytest.approx(found[1], rel=1e-5)
