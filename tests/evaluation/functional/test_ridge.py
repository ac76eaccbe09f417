import numpy as np
import pytest
import torch

from stars_mm.evaluation.functional.ridge import ALPHAS, draw_labeled, ridge_accuracy


def left_out_error(x, targets, alpha) -> float:
    """Fitted again without each clip."""
    errors = 0.0
    for n in range(len(x)):
        rest = np.arange(len(x)) != n
        mean, level = x[rest].mean(axis=0), targets[rest].mean(axis=0)
        own = x[rest] - mean
        weights = np.linalg.solve(
            own.T @ own + alpha * np.eye(x.shape[1]), own.T @ (targets[rest] - level)
        )
        errors += (((x[n] - mean) @ weights + level - targets[n]) ** 2).sum()
    return errors


@pytest.mark.parametrize('size', [1.0, 300.0])
def test_strength_chosen_by_leaving_out(size):
    """Whatever size the features have."""
    rng = np.random.default_rng(4)
    labels = np.arange(40) % 4
    feats = rng.normal(size=(40, 7)) + 2 * np.eye(4, 7)[labels] + 3
    bank, query = feats[:25], feats[25:]
    mean = bank.mean(axis=0)
    scale = np.sqrt(((bank - mean) ** 2).mean())
    x, asked = (bank - mean) / scale, (query - mean) / scale
    targets = 2 * np.eye(4)[labels[:25]] - 1
    alpha = min(ALPHAS, key=lambda a: left_out_error(x, targets, a))
    assert ALPHAS[0] < alpha < ALPHAS[-1]
    level = targets.mean(axis=0)
    weights = np.linalg.solve(x.T @ x + alpha * np.eye(7), x.T @ (targets - level))
    wanted = 100 * ((asked @ weights + level).argmax(axis=1) == labels[25:]).mean()
    given = [torch.from_numpy(size * bank), torch.from_numpy(labels[:25])]
    given += [torch.from_numpy(size * query), torch.from_numpy(labels[25:])]
    assert ridge_accuracy(*given) == pytest.approx(wanted)
    with pytest.raises(ValueError, match=r'two classes, the bank has \[0\] alone'):
        ridge_accuracy(given[0], torch.zeros(25).long(), *given[2:])


def test_drawn_labels():
    labels = [0] * 40 + [1] * 40 + [2] * 3
    drawn = draw_labeled(labels, 10, seed=0, draw=0)  # 8.3 clips, 3 of each class
    assert [labels[place] for place in drawn] == [0] * 3 + [1] * 3 + [2] * 3
    assert set(drawn) < set(draw_labeled(labels, 20, seed=0, draw=0))
    assert drawn != draw_labeled(labels, 10, seed=0, draw=1) != draw_labeled(labels, 10, 1, 1)
    assert len(draw_labeled([4, 7, 7, 7], 10, 0, 0)) == 2  # at least one a class
