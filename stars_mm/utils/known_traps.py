"""Known traps of the stack, each with its remedy."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from stars_mm import compat
from stars_mm.utils.installation import Installation

#: Versions of Python, as in ``setup.py``.
PYTHON = '>=3.10,<3.13'
#: Where torch without CUDA is.
CPU_WHEELS = 'https://download.pytorch.org/whl/cpu'
#: Data workers of a recipe, at most, and the shared memory (bytes) that each needs.
WORKERS, WORKER_MEMORY = 4, 64 << 20
#: Distributions of a module, the maintained forks among them.
MMENGINE = ('mmengine', 'onedl-mmengine')
MMCV = ('mmcv', 'mmcv-lite', 'mmcv-full', 'onedl-mmcv')
OPENCV = ('opencv-python', 'opencv-contrib-python')
OPENCV += tuple(f'{name}-headless' for name in OPENCV)


@dataclass(frozen=True)
class Finding:
    """Something about an installation.

    Attributes:
        what (str): What it is.
        remedy (str): What to type or to do.
        is_fault (bool): Whether something does not work because of it.
    """

    what: str
    remedy: str
    is_fault: bool = True


def find_traps(found: Installation) -> list[Finding]:
    """All that is known to go wrong with an installation, faults first."""
    checks = (_python, _mmlab, _ranges, _binaries, _opencv, _torch, _machine, _mended)
    return sorted((trap for check in checks for trap in check(found)), key=lambda t: not t.is_fault)


def _python(found: Installation) -> Iterator[Finding]:
    if found.python not in SpecifierSet(PYTHON):
        yield Finding(
            f'Python {found.python} is outside of {PYTHON}',
            'make an environment with Python 3.10, 3.11 or 3.12 and install stars_mm there',
        )


def _mmlab(found: Installation) -> Iterator[Finding]:
    """mmengine, mmcv and mmaction2, which are checked when stars_mm is imported, too."""
    for _, name, versions, command in compat.REQUIREMENTS:
        others = dict(mmcv=MMCV, mmengine=MMENGINE).get(name, (name,))
        names = [other for other in others if found.version(other)]
        if not names:
            yield Finding(f'{name} is not installed, {name}{versions} is needed', command)
        elif len(names) > 1:
            yield Finding(f'{" and ".join(names)} are one module, and both are installed', command)
        elif not SpecifierSet(versions).contains(found.version(names[0]) or '', prereleases=True):
            yield Finding(
                f'{names[0]} {found.version(names[0])} is outside of {versions}, which stars_mm '
                'works with',
                command,
            )


def _ranges(found: Installation) -> Iterator[Finding]:
    """What stars_mm itself asks for; of what is optional, only what is there."""
    seen = {'mmaction2', *MMENGINE, *MMCV, 'importlib-metadata'}
    for needed in stars_requirements(found):
        name, marker = needed.name.lower().replace('_', '-'), needed.marker
        required = marker is None or marker.evaluate(dict(extra=''))
        if name in seen or not (required or marker and marker.evaluate(dict(extra='export'))):
            continue
        version = found.version(name)
        remedy = f'pip install "{name}{needed.specifier}"'
        if version is None and required:
            yield Finding(f'{name} is not installed', remedy)
        elif version and not needed.specifier.contains(version, prereleases=True):
            yield Finding(f'{name} {version} is outside of {needed.specifier}', remedy)


def stars_requirements(found: Installation) -> list[Requirement]:
    """What the installed stars_mm asks for, or the checkout that runs."""
    if 'stars-mm' in found.packages:
        return [Requirement(line) for line in found.packages['stars-mm'].requires or ()]
    path = Path(compat.__file__).parents[1] / 'requirements' / 'runtime.txt'
    lines = path.read_text().splitlines() if path.is_file() else []
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


def _binaries(found: Installation) -> Iterator[Finding]:
    """What was compiled for numpy 1 does not work with numpy 2."""
    if _is(found, 'numpy', '>=2'):
        for name in OPENCV:
            if _is(found, name, '<4.10'):
                yield Finding(
                    f'{name} {found.version(name)} was compiled for numpy 1, and numpy '
                    f'{found.version("numpy")} is installed',
                    f'pip install "{name}>=4.10"',
                )


def _opencv(found: Installation) -> Iterator[Finding]:
    """mmengine asks for one, mmaction2 for another; both write the module ``cv2``."""
    versions = {name: found.version(name) for name in OPENCV if found.version(name)}
    if len(set(versions.values())) > 1:
        both = ' and '.join(f'{name} {version}' for name, version in versions.items())
        newest = max(map(Version, filter(None, versions.values())))
        again = ' '.join(f'{name}=={newest}' for name in versions)
        yield Finding(
            f'{both} are one module in two versions',
            f'pip uninstall -y {" ".join(versions)} && pip install {again}',
        )


def _torch(found: Installation) -> Iterator[Finding]:
    """The build of torch is for the machine."""
    build = found.torch_build()
    if build.startswith('CUDA') and not found.gpus:
        extra = [name for name in found.packages if name.startswith(('nvidia-', 'cuda-'))]
        extra += [name for name in ('triton',) if name in found.packages]
        gigabytes = found.size(['torch', *extra]) / 1e9
        release = Version(found.packages['torch'].version).public
        yield Finding(
            f'torch {found.version("torch")} is built for {build}, and there is no GPU: it and '
            f'{len(extra)} packages of CUDA take {gigabytes:.1f} GB',
            f'pip uninstall -y torch {" ".join(sorted(extra))} && pip install torch=={release} '
            f'--index-url {CPU_WHEELS}',
        )
    if build == 'CPU' and found.gpus:
        yield Finding(
            f'torch {found.version("torch")} is built for the CPU, and there is {found.gpus[0]}',
            'pip uninstall -y torch && pip install torch, with the --index-url of your CUDA '
            'from https://pytorch.org/get-started/locally',
        )


def _machine(found: Installation) -> Iterator[Finding]:
    place = found.cache
    while not place.exists() and place != place.parent:
        place = place.parent
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        yield Finding(
            f'{place} cannot be written, and {found.cache} is where clips are stored of an '
            'annotation file whose own folder is read-only',
            f'make {place} a folder of yours, or set XDG_CACHE_HOME to one',
        )
    workers = min(found.cores, WORKERS)
    if found.shared_memory is not None and found.shared_memory < workers * WORKER_MEMORY:
        yield Finding(
            f'/dev/shm has {found.shared_memory >> 20} MB, {workers} data workers need '
            f'{workers * WORKER_MEMORY >> 20} MB',
            'start the container with --shm-size=1g, or train with --cfg-options '
            'train_dataloader.num_workers=0 train_dataloader.persistent_workers=False',
        )


def _mended(found: Installation) -> Iterator[Finding]:
    """What stars_mm mends when it is imported (:mod:`stars_mm.compat`), and what only others'
    configs and builds meet."""
    mended = []
    if found.version('mmaction2') and not _has_drn(found):
        mended.append(compat.provide_drn)
    if found.version('mmaction2') and not found.version('importlib-metadata'):
        mended.append(compat.provide_importlib_metadata)
    if found.version('torch'):
        mended.append(compat.allow_checkpoint_types)
    for function in mended:
        what = (function.__doc__ or '').splitlines()[0].replace('``', '').rstrip('.')
        yield Finding(what, 'none is needed: stars_mm mends it when it is imported', False)
    if _is(found, 'setuptools', '>=82'):
        yield Finding(
            f'setuptools {found.version("setuptools")} has no pkg_resources, which building mmcv '
            "from its sources and a config's _base_ = 'mmaction::…' need; stars_mm needs neither",
            'pip install "setuptools<82", if you do either',
            False,
        )


def _has_drn(found: Installation) -> bool:
    return found.file('mmaction2', 'mmaction/models/localizers/drn').is_dir()


def _is(found: Installation, name: str, versions: str) -> bool:
    version = found.version(name)
    return version is not None and SpecifierSet(versions).contains(version, prereleases=True)
