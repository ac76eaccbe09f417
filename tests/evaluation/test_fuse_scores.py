"""From what tools/test.py dumps to the fused accuracy."""

import json

import pytest
import torch

from stars_mm.evaluation.functional.fusion import ClassScores
from stars_mm.evaluation.score_files import read_scores, write_scores


@pytest.fixture
def fuse_scores(load_tool, tmp_path, monkeypatch):
    """``fuse_scores('a.pkl b.pkl --weights 1 2')``: runs the tool where the files are."""
    monkeypatch.chdir(tmp_path)
    tool = load_tool('analysis/fuse_scores.py')
    return lambda command: tool.main(command.split())


def test_table_json_and_fused_file(fuse_scores, tmp_path, capsys):
    names, labels = [f'clip{i}' for i in range(40)], torch.arange(40) % 7
    truth = torch.nn.functional.one_hot(labels, 7).float()
    for stream in ('joint', 'bone'):
        scores = ClassScores(names, truth + 0.6 * torch.randn(40, 7), labels, stream)
        write_scores(tmp_path / f'{stream}.npz', scores)
    fuse_scores('joint.npz bone.npz --weights 1 0.5 --json fused.json --out fused.npz')
    found = json.loads((tmp_path / 'fused.json').read_text())
    assert list(found) == ['joint.npz', 'bone.npz', 'fused', 'meta']
    assert found['meta'] == dict(clips=40, weights=[1.0, 0.5], softmax=False)
    joint, bone, fused = (
        read_scores(tmp_path / f'{name}.npz').scores for name in ('joint', 'bone', 'fused')
    )
    torch.testing.assert_close(fused.float(), joint + 0.5 * bone)
    hits = (fused.argmax(1) == labels).float().mean().item() * 100
    assert found['fused']['top1'] == pytest.approx(hits)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '| scores | top1 | top5 | mean_class |'
    assert lines[-1].startswith(f'| fused | {hits:.2f} |')
    fuse_scores('joint.npz bone.npz --softmax --out fused.npz')
    fused = read_scores(tmp_path / 'fused.npz').scores.float()
    torch.testing.assert_close(fused, joint.softmax(1) + bone.softmax(1))
