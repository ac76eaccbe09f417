"""The golden arrays that travel with the tests are those of the authors."""

import pytest

NAMES = ['mamp_tiny', 'mamp_ntu_layout', 'mae_tiny', 'stars_tiny', 'heads_tiny']


@pytest.mark.parametrize('name', NAMES)
def test_copy_is_the_original(name, data_dir, shared_dir):
    copy = (data_dir / f'{name}.npz').read_bytes()
    assert copy == (shared_dir / 'parity' / f'{name}.npz').read_bytes()
