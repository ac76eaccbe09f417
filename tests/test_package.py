"""What a wheel holds, and that the installed package works by itself."""

import ast
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
from stars_mm.utils.shipped_encoders import shipped_encoders

#: What a checkout has beside the sources.
LEFT_OUT = '.git .venv .mim __pycache__ *.egg-info build data dist work_dirs'.split()


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
        return shutil.ignore_patterns(*(p for p in LEFT_OUT if p != 'data' or at_top))(path, names)

    shutil.copytree(repo_root, folder / 'source', ignore=ignore)
    pip = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-build-isolation']
    subprocess.run([*pip, '--wheel-dir', folder, folder / 'source'], check=True)
    (wheel,) = folder.glob('*.whl')
    assert wheel.name == f'stars_mm-{stars_mm.__version__}-py3-none-any.whl'
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / 'site')
    return folder / 'site'


@pytest.mark.slow
def test_wheel_holds_the_package_and_the_mim_files(installed, repo_root):
    info = f'stars_mm-{stars_mm.__version__}.dist-info'
    assert {path.name for path in installed.iterdir()} == {'stars_mm', info}
    mim = installed / 'stars_mm' / '.mim'
    assert files(mim / 'configs') == files(repo_root / 'configs')
    shipped = {name for name in files(repo_root / 'tools') if not name.startswith('benchmarks/')}
    assert files(mim / 'tools') == shipped
    assert (mim / 'model-index.yml').read_text() == (repo_root / 'model-index.yml').read_text()
    source, wheel = (
        {name for name in files(folder / 'stars_mm') if not name.startswith('.mim/')}
        for folder in (repo_root, installed)
    )
    endings = ('.py', '.txt', '.typed', '.json', '.safetensors', '.html', '.css', '.js')
    assert wheel == {name for name in source if name.endswith(endings)}
    assert 'encoders/common-15.safetensors' in wheel

    text = (installed / info / 'METADATA').read_text()
    needed = re.findall(r'^Requires-Dist: ([\w-]+)(.*)$', text, re.M)
    assert ('mmaction2', '<2,>=1.2') in needed and ('safetensors', '>=0.4') in needed
    assert ('mmcv-lite', '<2.2,>=2.1; extra == "lite"') in needed
    assert ('onedl-mmcv', '<2.4,>=2.3; extra == "forks"') in needed
    assert 'mmcv' not in dict(needed)
    assert 'License-Expression: Apache-2.0' in text
    assert (installed / info / 'licenses/LICENSE').is_file()


@pytest.mark.slow
def test_installed_package_works_from_another_folder(installed, tmp_path):
    """Its tools import it, and so nothing of the checkout."""
    tool = installed / 'stars_mm' / '.mim' / 'tools' / 'train.py'
    code = (
        f'import runpy, sys; sys.argv = ["train.py", "--help"]\n'
        f'try: runpy.run_path({str(tool)!r}, run_name="__main__")\n'
        'finally: print(sys.modules["stars_mm"].__file__)'
    )
    env = dict(os.environ, PYTHONPATH=str(installed))
    result = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path, text=True, check=True, capture_output=True, env=env,
    )  # fmt: skip
    assert '--auto-scale-lr' in result.stdout
    assert result.stdout.splitlines()[-1] == str(installed / 'stars_mm' / '__init__.py')


def test_lock_meets_the_ranges(repo_root):
    from packaging.requirements import Requirement

    def lines(name: str) -> list[str]:
        text = (repo_root / f'requirements/{name}.txt').read_text()
        return [line for line in text.splitlines() if not line.startswith('#')]

    lock = {}
    for pin in map(Requirement, lines('lock')):
        assert re.fullmatch(r'==[\w.]+', str(pin.specifier)), pin
        lock.setdefault(pin.name, []).append(str(pin.specifier)[2:])
    for name in ('runtime', 'lite', 'tests', 'dev'):
        for needed in map(Requirement, lines(name)):
            assert all(version in needed.specifier for version in lock[needed.name])


def test_model_index(repo_root):
    """Every recipe is in it, under its name and its method, and every encoder that ships."""
    index = yaml.safe_load((repo_root / 'model-index.yml').read_text())
    recipes = [
        path.relative_to(repo_root).as_posix()
        for pattern in ('*.py', 'mamp/*.py', 'similarity/*.py', 'stars/*.py')
        for path in (repo_root / 'configs').glob(pattern)
    ]
    shipped = [model for model in index['Models'] if 'Weights' in model]
    own = [model for model in index['Models'] if 'Weights' not in model]
    assert sorted(model['Config'] for model in own) == sorted(recipes)
    assert all(model['Name'] == Path(model['Config']).stem for model in own)
    collections = {entry['Name'] for entry in index['Collections']}
    for model in index['Models']:
        assert model['In Collection'] in collections
        cfg = Config.fromfile(repo_root / model['Config'], import_custom_modules=False)
        assert cfg.model.type == model['In Collection']
    known = shipped_encoders()
    assert {model['Name'] for model in shipped} == set(known)
    for model in shipped:
        assert model['Weights'] == f'stars://{model["Name"]}'
        assert model['Config'] == known[model['Name']]['config']
        assert (repo_root / model['README']).is_file()


#: A package imports from itself and from those before it.
LAYERS = 'compat version utils preparation datasets models engine evaluation visualization apis cli'


def test_imports_point_down(repo_root):
    order = LAYERS.split()
    upward = []
    for path in (repo_root / 'stars_mm').glob('*/**/*.py'):
        place = path.relative_to(repo_root / 'stars_mm').parts[0]
        if place not in order:  # demo needs none of these; encoders holds weights
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in getattr(node, 'names', ()) if not names]
            for name in names:
                top, _, rest = (name or '').partition('.')
                if top == 'stars_mm' and rest:
                    layer = rest.split('.')[0]
                    if layer in order and order.index(layer) > order.index(place):
                        upward.append((path.name, name))
    assert not upward
