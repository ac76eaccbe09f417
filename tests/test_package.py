"""What a wheel holds, and that the installed package works by itself."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

import stars_mm

#: What a checkout has beside the sources.
LEFT_OUT = (
    '.git',
    '.venv',
    '.mim',
    '__pycache__',
    '*.egg-info',
    'build',
    'data',
    'dist',
    'work_dirs',
)


def files(folder: Path) -> set:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


@pytest.fixture(scope='module')
def installed(repo_root, tmp_path_factory) -> Path:
    """A folder with what a wheel, built from a copy of the sources, holds."""
    pytest.importorskip('setuptools', '77.0.3')
    folder = tmp_path_factory.mktemp('wheel')

    def ignore(path, names):
        # tools/data and tests/data are sources; data at the top is not.
        at_top = Path(path) == repo_root
        patterns = [p for p in LEFT_OUT if p != 'data' or at_top]
        return shutil.ignore_patterns(*patterns)(path, names)

    shutil.copytree(repo_root, folder / 'source', ignore=ignore)
    subprocess.run(
        [
            sys.executable,
            '-m',
            'pip',
            'wheel',
            '--quiet',
            '--no-deps',
            '--no-build-isolation',
            '--wheel-dir',
            folder,
            folder / 'source',
        ],
        check=True,
    )
    (wheel,) = folder.glob('*.whl')
    assert wheel.name == f'stars_mm-{stars_mm.__version__}-py3-none-any.whl'
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / 'site')
    return folder / 'site'


def test_wheel_carries_the_mim_files(installed, repo_root):
    mim = installed / 'stars_mm' / '.mim'
    assert files(mim / 'configs') == files(repo_root / 'configs')
    shipped = {name for name in files(repo_root / 'tools') if not name.startswith('benchmarks/')}
    assert files(mim / 'tools') == shipped
    assert (mim / 'model-index.yml').read_text() == (repo_root / 'model-index.yml').read_text()


def test_wheel_holds_the_package_and_nothing_else(installed, repo_root):
    assert {path.name for path in installed.iterdir()} == {
        'stars_mm',
        f'stars_mm-{stars_mm.__version__}.dist-info',
    }
    source = {
        name
        for name in files(repo_root / 'stars_mm')
        if name.endswith(('.py', '.txt', 'py.typed')) and not name.startswith('.mim/')
    }
    wheel = {name for name in files(installed / 'stars_mm') if not name.startswith('.mim/')}
    assert wheel == source


def test_wheel_metadata(installed):
    text = next(installed.glob('*.dist-info/METADATA')).read_text()
    needed = re.findall(r'^Requires-Dist: ([\w-]+)(.*)$', text, re.M)
    assert ('mmaction2', '<2,>=1.2') in needed
    assert ('mmcv-lite', '<2.2,>=2.1; extra == "lite"') in needed
    assert 'mmcv' not in dict(needed)
    assert 'License-Expression: Apache-2.0' in text
    assert next(installed.glob('*.dist-info/licenses/LICENSE')).is_file()


def test_installed_package_works_from_another_folder(installed, tmp_path):
    """Its tools import it, and so nothing of the checkout."""
    tool = installed / 'stars_mm' / '.mim' / 'tools' / 'train.py'
    code = (
        f'import runpy, sys; sys.argv = ["train.py", "--help"]\n'
        f'try: runpy.run_path({str(tool)!r}, run_name="__main__")\n'
        'finally: print(sys.modules["stars_mm"].__file__)'
    )
    result = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        text=True,
        check=True,
        capture_output=True,
        env=dict(os.environ, PYTHONPATH=str(installed)),
    )
    assert '--auto-scale-lr' in result.stdout
    assert result.stdout.splitlines()[-1] == str(installed / 'stars_mm' / '__init__.py')


def test_lock_meets_the_ranges(repo_root):
    from packaging.requirements import Requirement

    lock = {}
    for line in (repo_root / 'requirements/lock.txt').read_text().splitlines():
        if not line.startswith('#'):
            pin = Requirement(line)
            assert re.fullmatch(r'==[\w.]+', str(pin.specifier)), line
            lock.setdefault(pin.name, []).append(str(pin.specifier)[2:])
    for name in ('runtime', 'mmcv-lite', 'tests', 'dev'):
        path = repo_root / 'requirements' / f'{name}.txt'
        for line in path.read_text().splitlines():
            if not line.startswith('#'):
                needed = Requirement(line)
                assert all(v in needed.specifier for v in lock[needed.name])


def test_model_index(repo_root):
    """Every recipe is in it, under its name and its method."""
    index = yaml.safe_load((repo_root / 'model-index.yml').read_text())
    listed = {model['Config'] for model in index['Models']}
    assert listed == {
        path.relative_to(repo_root).as_posix()
        for pattern in ('*.py', 'mamp/*.py', 'stars/*.py')
        for path in (repo_root / 'configs').glob(pattern)
    }
    collections = {entry['Name'] for entry in index['Collections']}
    for model in index['Models']:
        assert model['In Collection'] in collections
        assert model['Name'] == Path(model['Config']).stem
        cfg = Config.fromfile(repo_root / model['Config'], import_custom_modules=False)
        assert cfg.model.type == model['In Collection']
