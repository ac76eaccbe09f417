"""Builds and installs stars_mm."""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
#: What openmim looks for in ``stars_mm/.mim`` of an installed package.
MIM_FILES = ('configs', 'tools', 'model-index.yml')


class BuildWithMim(build_py):
    """Puts configs, tools and the model index under ``stars_mm/.mim``.

    A wheel gets copies. An editable install gets links in the source tree, so
    that edits show at once.
    """

    def run(self) -> None:
        super().run()
        editable = self.editable_mode
        target = (ROOT if editable else Path(self.build_lib).resolve()) / 'stars_mm' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM_FILES:
            (link if editable else copy)(ROOT / name, target / name)


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        left_out = ['__pycache__']
        if source.name == 'tools':
            left_out.append('benchmarks')  # what only measures stays in the checkout
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*left_out))
    else:
        shutil.copy(source, target)


def link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(os.path.relpath(source, target.parent))
    except OSError:  # a file system without links
        copy(source, target)


def requirements(name: str) -> list:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def version() -> str:
    names = {}
    exec((ROOT / 'stars_mm' / 'version.py').read_text(), names)
    return names['__version__']


def readme() -> str:
    path = ROOT / 'README.md'
    return path.read_text(encoding='utf-8') if path.exists() else ''


setup(
    name='stars_mm',
    version=version(),
    description='STARS: self-supervised skeleton action recognition on mmaction2',
    long_description=readme(),
    long_description_content_type='text/markdown',
    license_expression='Apache-2.0',
    license_files=['LICENSE'],
    keywords='skeleton action recognition, self-supervised learning',
    packages=find_packages(include=['stars_mm', 'stars_mm.*']),
    package_data={
        'stars_mm': ['py.typed'],
        'stars_mm.encoders': ['*.json', '*.safetensors'],
        'stars_mm.preparation.readers': ['*.txt'],
        'stars_mm.visualization': ['page/*'],
    },
    python_requires='>=3.10,<3.13',
    install_requires=requirements('runtime'),
    extras_require=dict(
        lite=requirements('lite'),
        forks=requirements('forks'),
        export=requirements('export'),
        tests=requirements('tests'),
        dev=requirements('dev'),
        docs=requirements('docs'),
    ),
    entry_points=dict(console_scripts=['stars-mm = stars_mm.cli:main']),
    cmdclass=dict(build_py=BuildWithMim),
    zip_safe=False,
)
