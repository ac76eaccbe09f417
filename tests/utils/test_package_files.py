"""Configs are found from any folder, in a checkout and where the package is installed."""

import pytest

from stars_mm.utils import package_files
from stars_mm.utils.package_files import find_config, package_path


@pytest.fixture(params=['checkout', 'installed'])
def root(request, repo_root, tmp_path, monkeypatch):
    """The folder of the configs, and a foreign one to be in."""
    if request.param == 'installed':
        site = tmp_path / 'site-packages'
        (site / 'configs').mkdir(parents=True)  # another package's
        (site / 'stars_mm').mkdir()
        (site / 'stars_mm/.mim').symlink_to(repo_root)
        monkeypatch.setattr(package_files, 'ROOTS', (site, site / 'stars_mm/.mim'))
    monkeypatch.chdir(tmp_path)
    return package_files.ROOTS[request.param == 'installed']


@pytest.mark.parametrize(
    'name', ['stars_custom', 'stars_custom.py', 'configs/stars_custom.py', 'mamp/../stars_custom']
)
def test_config_of_the_package(root, name):
    assert (
        find_config(name)
        == str(root / 'configs' / (name.removeprefix('configs/'))).replace('.py', '') + '.py'
    )


def test_own_config_comes_first(root, tmp_path):
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs/stars_custom.py').write_text('a = 1')
    assert find_config('configs/stars_custom.py') == 'configs/stars_custom.py'


def test_what_is_not_there_is_named(root):
    with pytest.raises(FileNotFoundError, match='stars_costum.py.*stars_custom'):
        find_config('stars_costum.py')
    with pytest.raises(FileNotFoundError, match='nothing.txt is not among'):
        package_path('nothing.txt')


def test_only_python_is_a_config(tmp_path):
    """mmengine's YAML makes any object that the file names."""
    for name in ('a.yml', 'a.yaml', 'a.json'):
        (tmp_path / name).write_text('!!python/object/apply:os.system ["true"]')
        with pytest.raises(ValueError, match=f'{name}: is no .py. A config is written in Python'):
            find_config(tmp_path / name)
