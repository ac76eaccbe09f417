import numpy as np
import pytest

from stars_mm.apis import SkeletonInferencer


@pytest.fixture(scope='session')
def encode():
    """The encoder that ships, on the CPU."""
    return SkeletonInferencer(device='cpu', batch_size=3)


@pytest.fixture(scope='session')
def recordings(tmp_path_factory):
    """A folder with a folder a class, two files of 25 joints in each."""
    folder = tmp_path_factory.mktemp('recordings')
    for label in ('wave', 'sit', 'kick'):
        (folder / label).mkdir()
        for take in range(2):
            np.save(folder / label / f'{take}.npy', skeleton(label, take))
    return folder


def skeleton(label: str, take: int) -> np.ndarray:
    """(1, T, 25, 3) in metres: a made-up body whose limbs follow waves of the class."""
    from stars_mm.preparation.layouts import get_layout

    layout = get_layout('ntu-25')
    rng = np.random.default_rng([take, 5])
    T = 40 + 7 * take
    rest = np.random.default_rng(1).uniform(-0.3, 0.3, (layout.num_joints, 3))
    rest[:, 1] += np.linspace(1.6, 0.2, layout.num_joints)
    rest[[4, 8]] = [(-0.2, 1.4, 0), (0.2, 1.4, 0)]
    which = dict(wave=range(8, 12), sit=range(12, 20), kick=range(16, 20))[label]
    speed = dict(wave=4, sit=1, kick=2)[label]
    clip = np.tile(rest, (1, T, 1, 1))
    clip[0, :, list(which), 1] += 0.4 * np.sin(speed * np.linspace(0, np.pi, T))
    return (clip + 0.004 * rng.standard_normal(clip.shape)).astype(np.float32)
