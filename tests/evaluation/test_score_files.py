"""Score files, as mmengine's DumpResults writes them."""

import pickle

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import DumpResults

from stars_mm.evaluation.functional.fusion import ClassScores, nearest_scores
from stars_mm.evaluation.score_files import read_scores, write_scores


@pytest.fixture
def dump(tmp_path):
    """Dumps data samples as ``tools/test.py --dump`` does."""

    def _dump(samples, name='scores.pkl'):
        metric = DumpResults(out_file_path=str(tmp_path / name))
        metric.process({}, [sample.to_dict() for sample in samples])
        metric.evaluate(len(samples))
        return tmp_path / name

    return _dump


def sample(index, label=0, name=None, meta=('sample_idx', 'frame_dir'), **fields):
    all_meta = dict(sample_idx=index, frame_dir=name or f'clip{index}')
    kept = {key: all_meta[key] for key in meta}
    if 'role' in fields:
        kept['role'] = fields.pop('role')
    result = ActionDataSample(metainfo=kept).set_gt_label(label)
    for key, value in fields.items():
        result.set_field(value, key)
    return result


def test_classifier(dump):
    scores = torch.randn(4, 3)
    path = dump([sample(i, label=i % 3, pred_score=row) for i, row in enumerate(scores)])
    found = read_scores(path)
    assert found.names == ['clip0', 'clip1', 'clip2', 'clip3']
    assert torch.equal(found.scores, scores)
    assert found.labels.tolist() == [0, 1, 2, 0]
    assert found.source == str(path)


def test_features_with_their_bank(dump):
    feats = torch.randn(9, 4)
    roles = ['bank'] * 6 + ['query'] * 3
    labels = [0, 1, 2, 0, 1, 2, 2, 1, 0]
    samples = [
        sample(i % 6, label=labels[i], name=f'{role}{i}', role=role, feature=feats[i])
        for i, role in enumerate(roles)
    ]
    found = read_scores(dump(samples))
    assert found.names == ['query6', 'query7', 'query8']
    assert found.labels.tolist() == [2, 1, 0]
    wanted = nearest_scores(feats[:6], torch.tensor(labels[:6]), feats[6:])
    torch.testing.assert_close(found.scores, wanted)


def test_padding_of_a_distributed_sampler_counts_once(dump):
    samples = [sample(i, pred_score=torch.rand(2)) for i in (0, 1, 2, 0)]
    assert read_scores(dump(samples)).names == ['clip0', 'clip1', 'clip2']
    other = [*samples[:3], sample(3, name='clip0', pred_score=torch.rand(2))]
    with pytest.raises(ValueError, match='clip "clip0" occurs 2 times'):
        read_scores(dump(other))


def test_own_files(tmp_path):
    scores = ClassScores(['b', 'a'], torch.randn(2, 5), torch.tensor([4, 1]), '')
    write_scores(tmp_path / 'fused.npz', scores)
    found = read_scores(tmp_path / 'fused.npz')
    assert found.names == ['b', 'a'] and found.labels.tolist() == [4, 1]
    assert torch.equal(found.scores, scores.scores)
    with pytest.raises(ValueError, match='written as .npz'):
        write_scores(tmp_path / 'fused.pkl', scores)


def test_incomplete_predictions(dump):
    own, score = ('sample_idx', 'frame_dir'), dict(pred_score=torch.rand(2))
    for incomplete, message in (
        (sample(0), r'need "pred_score", or .* \[.frame_dir., .gt_label.'),
        (sample(0, meta=own[:1], **score), 'no "frame_dir".*PackActionInputs'),
        (sample(0, meta=own[1:], **score), 'no "sample_idx".*PackActionInputs'),
        (sample(0, role='query', feature=torch.rand(2)), 'need both roles, "bank" and "query"'),
    ):
        with pytest.raises(ValueError, match=message):
            read_scores(dump([incomplete]))
    far = [
        sample(n, label=n << 33, role=role, feature=torch.rand(2))
        for n, role in ((1, 'bank'), (0, 'query'))
    ]
    with pytest.raises(ValueError, match='a clip is of class 8589934592, and there are at most'):
        read_scores(dump(far))


def test_files_of_another_kind(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such score file.*--dump'):
        read_scores(tmp_path / 'none.pkl')
    (tmp_path / 'a.json').write_text('{}')
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(dict(split={})))
    np.savez(tmp_path / 'a.npz', names=np.array(['a']))
    for name, message in (
        ('a.json', 'a.json: a score file is a .pkl'),
        ('a.pkl', 'holds no list of predictions'),
        ('a.npz', r"lacks .* \['scores', 'labels'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            read_scores(tmp_path / name)
