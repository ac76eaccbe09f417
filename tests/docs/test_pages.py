"""What the pages, tools, tests and messages name is there."""

import re
from pathlib import Path

import pytest
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.engine.runner.stages import find_stage_config
from stars_mm.utils.checkpoint import check_checkpoint

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md'), ROOT / 'model-index.yml']
CODE = [path for name in ('stars_mm', 'tools', 'tests') for path in (ROOT / name).rglob('*.py')]
MINE = {
    found[1]: found[0]
    for path in PAGES
    for found in re.finditer(
        r'(?s)(?<=```python\n)# (configs/mine/\S+)\n.*?(?=```)', path.read_text()
    )
}

#: A file of mmaction2's, and a name that stands for others.
OTHERS = {'tools/data/skeleton/README.md', 'tools/data/NAME.py'}


def test_files_exist():
    """Paths from the top, configs by their place in ``configs/``, and links between pages."""
    folders = '|'.join(path.name for path in (ROOT / 'configs').iterdir() if path.is_dir())
    missing = []
    for path in [*PAGES, *CODE, *(ROOT / 'tools').glob('*.sh')]:
        text = path.read_text()
        if path.name == 'CHANGELOG.md':
            text = re.sub(r'(?m)^\| [^|]+', '', text)  # what was removed
        named = re.findall(r'(?<![\w/}.-])(?:configs|tools|docs)/[\w./-]*\w/?', text)
        named = [name for name in named if name.endswith(('.py', '.sh', '.md', '/'))]
        named += [
            f'configs/{name}'
            for name in re.findall(rf'(?<![\w/}}.-])(?:{folders})/[\w./-]+\.py\b', text)
            if not (ROOT / 'tools' / name).exists()
        ]
        if path.suffix == '.md':
            links = re.findall(r'\]\(([\w./-]+)(?:#[\w-]+)?\)', text)
            missing += [(path.name, link) for link in links if not (path.parent / link).exists()]
        missing += [
            (path.name, name)
            for name in named
            if '/mine/' not in name and not (ROOT / name).exists() and name not in OTHERS
        ]
    assert not missing


@pytest.fixture(scope='module')
def written(tmp_path_factory) -> Path:
    """``configs/`` with the files under ``mine/`` that pages write out."""
    folder = tmp_path_factory.mktemp('checkout') / 'configs'
    (folder / 'mine').mkdir(parents=True)
    for path in (ROOT / 'configs').iterdir():
        (folder / path.name).symlink_to(path)
    for name, text in MINE.items():
        (folder.parent / name).write_text(text)
    return folder


@pytest.mark.parametrize('name', MINE)
def test_written_out_configs_work(name, written):
    """Each builds, and takes the encoder of its stage 1."""
    cfg = Config.fromfile(written.parent / name)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model)
        for stage in cfg.get('stages', []):
            path = written / stage.config
            path = path if path.is_file() else find_stage_config(stage.config, cfg)
            trained = MODELS.build(Config.fromfile(path).model)
            check_checkpoint(trained.state_dict(), model, str(path))


def test_a_written_out_pipeline_is_that_of_the_options(written):
    cfg = Config.fromfile(written / 'mine/views-none_demo.py')
    center, views, *_ = cfg.train_dataloader.dataset.pipeline
    assert center.align == (4, 8) and views.num_views == 1
    assert [dict(step) for step in views.transforms] == [
        dict(type='TemporalCropResize', clip_len=64, p_interval=1.0)
    ]
