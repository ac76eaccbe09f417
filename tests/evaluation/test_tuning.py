"""What a study of tuning draws, stretches and sums up."""

import pytest
import torch
from mmengine.config import Config

from stars_mm.evaluation.tuning import neighbour_purity, same_iterations, summary_table


def test_a_share_of_the_clips_gets_the_same_iterations():
    cfg = Config(
        dict(
            train_dataloader=dict(batch_size=16),
            train_cfg=dict(max_epochs=75),
            param_scheduler=[
                dict(begin=0, end=2),
                dict(begin=2, end=75, eta_min=0.0),
                dict(begin=75),
            ],
        )
    )
    # 720 clips are 45 iterations an epoch, a tenth of them 4
    assert same_iterations(cfg, 720, 0.1) == {
        'train_cfg.max_epochs': 844,
        'param_scheduler.0.begin': 0,
        'param_scheduler.0.end': 22,
        'param_scheduler.1.begin': 22,
        'param_scheduler.1.end': 844,
        'param_scheduler.2.begin': 844,
    }
    assert same_iterations(cfg, 720, 1.0)['train_cfg.max_epochs'] == 75
    with pytest.raises(ValueError, match='batch_size=16'):
        same_iterations(cfg, 720, 0.02)


def test_purity_against_loops():
    torch.manual_seed(0)
    feats, labels = torch.randn(40, 6), torch.randint(3, (40,))
    hits = 0
    for i in range(40):
        others = [j for j in range(40) if j != i]
        cosine = [torch.cosine_similarity(feats[i], feats[j], dim=0) for j in others]
        nearest = max(zip(cosine, others))[1]
        hits += bool(labels[nearest] == labels[i])
    assert neighbour_purity(feats, labels) == pytest.approx(100 * hits / 40)


def test_table_holds_mean_and_spread():
    rows = [
        dict(
            config='recipe',
            fraction=0.1,
            progress=1,
            purity=purity,
            before=dict(knn_top1=50.0, silhouette=0.0),
            after=dict(knn_top1=after, silhouette=0.1),
        )
        for purity, after in ((40.0, 52.0), (44.0, 56.0))
    ]
    line = summary_table(rows).splitlines()[2]
    assert line == (
        '| recipe | 10% | 100% | 2 | 42.0 ± 2.8 | 50.0 ± 0.0 | '
        '54.0 ± 2.8 | +4.0 ± 2.8 | 0.000 ± 0.000 | '
        '0.100 ± 0.000 |'
    )
