import numpy as np
import pytest

from stars_mm.preparation.inspection.clip_stats import guess_units


@pytest.mark.parametrize(
    'name, sizes, reach, dims',
    [
        ('metres', [1.5, 1.7, 2.0, np.nan], 4.5, 3),
        ('metres', [0.9], 3, 3),
        ('metres', [1.6], 0.95, 3),
        ('unknown', [0.2], 0.1, 3),
        ('centimetres', [150, 170], 300, 3),
        ('millimetres', [1500, 1700], 4500, 3),
        ('normalised', [1.2], 1, 3),
        ('unknown', [17], 30, 3),
        ('pixels', [310, 90], 1900, 2),
        ('normalised', [0.4], 0.98, 2),
        ('normalised', [2.5], 1.4, 2),
        ('unknown', [np.nan], 0, 3),
        ('unknown', [], 0, 2),
    ],
)
def test_guess(name, sizes, reach, dims):
    units = guess_units(sizes, reach, dims)
    assert (units.name, units.dims) == (name, dims)
    known = [size for size in sizes if size == size]
    np.testing.assert_equal(units.body_size, np.median(known) if known else np.nan)
