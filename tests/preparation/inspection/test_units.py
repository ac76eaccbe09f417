import numpy as np
import pytest

from stars_mm.preparation.inspection.clip_stats import guess_units


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
