"""Each known trap on a made-up installation that has it, and none where all is well."""

import os
import platform
import re
from importlib import metadata
from pathlib import Path

import pytest

from stars_mm import compat
from stars_mm.utils.installation import Installation, installed_packages
from stars_mm.utils.known_traps import PYTHON, find_traps

SOUND = dict(
    stars_mm='0.2', torch='2.13.0+cpu', numpy='2.4.6', mmengine='0.10.7', mmcv_lite='2.1.0',
    mmaction2='1.2.0', opencv_python='4.12.0.88', opencv_contrib_python='4.12.0.88',
    setuptools='81.0', importlib_metadata='8.0', plotly='6.1',
)  # fmt: skip
REQUIRES = ('torch>=2.6', 'plotly>=6', 'importlib_metadata', 'onnxruntime>=1.20; extra == "export"')


@pytest.fixture
def install(tmp_path):
    """``install(torch='2.8', mmcv=None)``: an installation of :data:`SOUND` but for these."""

    def _install(python='3.11.9', gpus=(), shared_memory=8 << 30, cache=None, **changes):
        site = tmp_path / 'site'
        for name, version in (SOUND | changes).items():
            if version is None:
                continue
            folder = site / f'{name}-{version}.dist-info'
            folder.mkdir(parents=True)
            lines = ['Metadata-Version: 2.1', f'Name: {name}', f'Version: {version}']
            if name == 'stars_mm':
                lines += [f'Requires-Dist: {line}' for line in REQUIRES]
            (folder / 'METADATA').write_text('\n'.join(lines) + '\n')
            size = 10**9 if name.startswith('nvidia') else 5 * 10**8
            (folder / 'RECORD').write_text(f'{name}/lib.so,sha256=x,{size}\n')
        (site / 'mmaction/models/localizers/drn').mkdir(parents=True)
        found = Installation(installed_packages([str(site)]), python, 'Linux', cores=8)
        found.gpus, found.shared_memory, found.cache = list(gpus), shared_memory, cache or tmp_path
        return found

    return _install


def test_a_sound_installation(install):
    found = install(onnxruntime='1.31', torch='2.6.0+cpu')
    assert found.version('opencv-contrib-python') == '4.12.0.88'  # its name has underscores
    (mended,) = find_traps(found)
    assert '#1655' in mended.what and not mended.is_fault


#: What is changed → what is said, and what the remedy holds.
FAULTS = [
    (dict(mmcv_lite=None), 'mmcv is not installed, mmcv>=2.0.0rc4,<2.4', 'pip install "mmcv-lite'),
    (dict(mmcv='2.1.0'), 'mmcv and mmcv-lite are one module', 'pip uninstall -y mmcv mmcv-lite'),
    (dict(mmcv_lite='2.4.0'), 'mmcv-lite 2.4.0 is outside of .*<2.4', 'mmcv-lite>=2.1'),
    (dict(onedl_mmengine='0.10.12'), 'mmengine and onedl-mmengine are one module', 'mmengine'),
    (dict(mmcv_lite=None, mmcv_full='1.7.0'), 'mmcv-full 1.7.0 is outside of', 'mmcv-lite>=2.1'),
    (dict(mmaction2=None), 'mmaction2 is not installed', 'pip install "mmaction2>=1.2'),
    (dict(python='3.13.1'), 'Python 3.13.1 is outside of', 'Python 3.10, 3.11 or 3.12'),
    (dict(plotly='5.9'), 'plotly 5.9 is outside of >=6', 'pip install "plotly>=6"'),
    (dict(plotly=None), 'plotly is not installed', 'pip install "plotly>=6"'),
    (dict(onnxruntime='1.16'), 'onnxruntime 1.16 is outside of >=1.20', '"onnxruntime>=1.20"'),
    (
        dict(opencv_python='4.8.1.78', opencv_contrib_python=None),
        'opencv-python 4.8.1.78 was compiled for numpy 1, and numpy 2.4.6',
        '"opencv-python>=4.10"',
    ),
    (dict(torch='2.5.1+cpu'), 'torch 2.5.1.* is outside of >=2.6', '"torch>=2.6"'),
    (
        dict(opencv_python='4.10.0.84'),
        'opencv-python 4.10.0.84 and opencv-contrib-python 4.12.0.88 are one module',
        'opencv-python==4.12.0.88 opencv-contrib-python==4.12.0.88',
    ),
    (
        dict(torch='2.13.0+cu130', nvidia_cublas='13.0', nvidia_cudnn_cu13='9.1'),
        'torch 2.13.0.* is built for CUDA 130, and there is no GPU: .* 2 packages .* 2.5 GB',
        'torch nvidia-cublas nvidia-cudnn-cu13 && pip install torch==2.13.0 --index-url .*/whl/cpu',
    ),
    (dict(gpus=['NVIDIA H200']), 'torch .* for the CPU, and there is NVIDIA H200', 'uninstall'),
    (dict(shared_memory=64 << 20), '/dev/shm has 64 MB, 4 .* need 256 MB', '--shm-size=1g'),
    (
        dict(cache=Path(__file__) / 'stars_mm'),
        '.*test_known_traps.py cannot be written',
        'XDG_CACHE_HOME',
    ),
]


@pytest.mark.parametrize(('changes', 'what', 'remedy'), FAULTS)
def test_faults(install, changes, what, remedy):
    (fault,) = [trap for trap in find_traps(install(**changes)) if trap.is_fault]
    assert re.match(what, fault.what), fault
    assert re.search(remedy, fault.remedy), fault


def test_the_maintained_forks(install):
    forks = dict(onedl_mmengine='0.10.12', onedl_mmcv='2.3.6')
    found = find_traps(install(mmengine=None, mmcv_lite=None, **forks))
    assert not any(finding.is_fault for finding in found)


def test_notes(install, tmp_path):
    """What is mended or does not concern stars_mm itself."""
    found = install(importlib_metadata=None, setuptools='82.0.1')
    (tmp_path / 'site/mmaction/models/localizers/drn').rmdir()
    notes = find_traps(found)
    assert not any(note.is_fault for note in notes)
    mended = (compat.provide_drn, compat.provide_importlib_metadata, compat.allow_checkpoint_types)
    expected = [function.__doc__.splitlines()[0].replace('``', '')[:-1] for function in mended]
    assert [note.what for note in notes[:3]] == expected
    assert notes[3].what.startswith('setuptools 82.0.1 has no pkg_resources')


@pytest.mark.parametrize(
    ('text', 'build'),
    [
        ('cuda: Optional[str] = None\nhip: Optional[str] = None', 'CPU'),
        ("__version__ = '2.9.0+cu126'\ncuda: Optional[str] = '12.6'", 'CUDA 12.6'),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.2.41133'", 'ROCm 6.2.41133'),
        ('', 'unknown'),
    ],
)
def test_the_build_of_torch(install, tmp_path, text, build):
    """As torch's own file says, where the version of the metadata has no suffix."""
    (tmp_path / 'site/torch').mkdir(parents=True)
    (tmp_path / 'site/torch/version.py').write_text(text)
    found = install(torch='2.9.0', gpus=['a GPU'])
    assert found.torch_build() == build


def test_versions_of_python_are_those_of_setup(repo_root):
    assert f"python_requires='{PYTHON}'" in (repo_root / 'setup.py').read_text()


def test_this_machine():
    found = Installation()
    assert found.version('torch') == metadata.version('torch')
    assert (found.cores, found.python) == (len(os.sched_getaffinity(0)), platform.python_version())
    total = re.search(r'MemTotal: +(\d+) kB', Path('/proc/meminfo').read_text())
    assert found.memory == int(total[1]) * 1024
