import re

import numpy as np
import pytest

from stars_mm.preparation.inspection.clip_stats import guess_units, unit_fault


@pytest.mark.parametrize(
    'name, sizes, reach, dims',
    [
        ('metres', [1.5, 1.7, 2.0, np.nan], 4.5, 3),
        ('metres', [1.6], 0.95, 3),
        ('unknown', [0.2], 0.1, 3),
        ('centimetres', [150, 170], 300, 3),
        ('millimetres', [1500, 1700], 4500, 3),
        ('normalised', [1.2], 1, 3),
        ('unknown', [17], 30, 3),
        ('pixels', [310, 90], 1900, 2),
        ('normalised', [2.5], 1.4, 2),
        ('unknown', [], 0, 2),
    ],
)
def test_guess(name, sizes, reach, dims):
    assert guess_units(sizes, reach, dims).name == name


@pytest.mark.parametrize(
    'declared, size, dims, said',
    [
        ('m', 1.7, 3, None),
        ('m', 0.3, 3, None),  # hands, or a child who sits
        ('m', 1700, 3, 'millimetres, it seems.*--unit mm'),
        ('m', 170, 3, 'centimetres, it seems.*--unit cm'),
        ('m', 0.01, 3, 'measures 0.01.*--unit cm, mm or px, or other'),
        ('m', 300, 2, 'declares metres.*measures 300'),
        ('px', 300, 2, None),
        ('other', 1700, 3, None),
        (None, 1700, 3, None),
    ],
)
def test_declared_units(declared, size, dims, said):
    found = unit_fault(declared, guess_units([size], 2 * size, dims))
    assert found is None if said is None else re.search(said, found)
