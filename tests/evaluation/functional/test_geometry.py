from itertools import combinations
from math import cos, pi, sqrt

import pytest
import torch

from stars_mm.evaluation.functional import geometry, joint_distances, positions


def dct_by_hand(course: list[float], coefficients: int) -> list[float]:
    """The first coefficients of the orthonormal DCT-II, from its formula."""
    T = len(course)
    found = []
    for k in range(min(coefficients, T)):
        wave = [cos(pi * (2 * t + 1) * k / (2 * T)) for t in range(T)]
        total = sum(x * w for x, w in zip(course, wave))
        found.append(total * sqrt((1 if k == 0 else 2) / T))
    return found


def by_hand(clip, what) -> list[float]:
    """A clip (M, T, V, C): persons, then coefficients, then joints and axes, or pairs."""
    M, T, V, C = clip.shape
    number = 16 if what == 'positions' else 8
    found = []
    for m in range(M):
        if what == 'positions':
            courses = [clip[m, :, v, c].tolist() for v in range(V) for c in range(C)]
            courses = [[x - 0.7 * sum(course) / T for x in course] for course in courses]
        else:
            pairs = list(combinations(range(V), 2))
            courses = [
                [sqrt(sum((clip[m, t, a] - clip[m, t, b]) ** 2)) for t in range(T)]
                for a, b in pairs
            ]
        coefficients = [dct_by_hand(course, number) for course in courses]
        found += [own[k] for k in range(min(number, T)) for own in coefficients]
    return found


@pytest.mark.parametrize('T, C', [(19, 3), (5, 2)])
@pytest.mark.parametrize('measure', [positions, joint_distances])
def test_against_the_formulas(measure, T, C, monkeypatch):
    monkeypatch.setattr(geometry, '_CLIPS', 2)
    clips = torch.randn(3, 1, 2, T, 4, C, dtype=torch.float64)
    found = measure(clips)
    wanted = [by_hand(clip[0], measure.__name__) for clip in clips]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))


def test_views_are_averaged_and_precision_is_kept():
    clips = torch.randn(3, 4, 1, 9, 5, 3)
    for measure in (positions, joint_distances):
        each = [measure(clips[:, view : view + 1]) for view in range(4)]
        found = measure(clips)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, torch.stack(each).mean(dim=0))


def test_what_moves_a_clip_and_what_does_not():
    """Distances outlast any turn, positions none; a person who is absent is zero."""
    clips = torch.randn(2, 1, 2, 10, 4, 3, dtype=torch.float64)
    clips[:, :, 1] = 0
    turn, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))
    torch.testing.assert_close(joint_distances(clips @ turn), joint_distances(clips))
    assert not torch.allclose(positions(clips @ turn), positions(clips))
    for measure in (positions, joint_distances):
        first, second = measure(clips).chunk(2, dim=1)
        assert first.any() and not second.any()
    with pytest.raises(ValueError, match=r'\(N, clips, M, T, V, C\), got \(2, 10, 4, 3\)'):
        positions(clips[:, 0, 0])
