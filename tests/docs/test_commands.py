"""Every command of the pages: its program, options, config and settings are there."""

import argparse
import importlib.util
import re
import runpy
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from mmengine.config import Config, ConfigDict
from page_commands import ROOT, page_commands, split_commands

import stars_mm
from stars_mm.cli.main import main as stars_mm_main
from stars_mm.engine.runner.stages import find_stage_config
from stars_mm.evaluation.protocols.evaluate import PROTOCOLS, SEMI
from stars_mm.preparation.layouts import known_layouts
from stars_mm.preparation.readers.lookup import known_readers

#: Programs of others, whose options are theirs.
OTHERS = {'cd', 'export', 'mkdir', 'mypy', 'pip', 'ruff', 'sphinx-build', 'wget'}
#: Scripts that hand their arguments on to a tool, but for these.
LAUNCHERS = {
    'dist_train.sh': slice(1, 2),
    'dist_test.sh': slice(2, 3),
    'slurm_train.sh': slice(2),
    'slurm_test.sh': slice(2),
}
#: Words that stand for what a user has.
STAND_INS = {'CONFIG', 'CHECKPOINT'}


#: Words of a command → the first page that has it.
COMMANDS = {tuple(words): page for page, words in reversed([*page_commands()])}


class Parsed(Exception):
    """The command line was understood; nothing has run."""


@pytest.fixture
def parse(monkeypatch, capsys):
    """``parse(run, words)``: the options that ``run()`` finds in the words."""
    original = argparse.ArgumentParser.parse_args
    monkeypatch.setattr(stars_mm, 'register', list)  # for the whole session it is done

    def stop(self, args=None, namespace=None):
        raise Parsed(original(self, args, namespace))

    def _parse(run, words):
        monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', stop)
        monkeypatch.setattr(sys, 'argv', words)
        try:
            run()
        except Parsed as parsed:
            return parsed.args[0]
        except ModuleNotFoundError as error:
            if error.name not in ('onnx', 'onnxruntime'):  # of an extra
                raise
            pytest.skip(f'needs {error.name}')
        except SystemExit as end:
            if end.code == 0:  # --help
                return None
            pytest.fail(capsys.readouterr().err)
        pytest.fail(f'{words[0]} parses no command line')

    return _parse


def parse_tool(parse, path: str, words: list[str]):
    assert (ROOT / path).is_file(), f'there is no {path}'
    if not re.search(r'argparse|stars_mm\.cli', (ROOT / path).read_text()):
        assert not [word for word in words if word.startswith('-')], f'{path} has no options'
        return None
    return parse(lambda: runpy.run_path(str(ROOT / path), run_name='__main__'), [path, *words])


def parse_command(parse, words: list[str]) -> argparse.Namespace | None:
    """The options of a command of ours, None of another's."""
    program, *rest = words
    if program == 'stars-mm':
        return parse(stars_mm_main, words)
    if program == 'python' and rest[0] == '-m':
        assert importlib.util.find_spec(rest[1]), f'there is no module {rest[1]}'
        return None
    if program in ('python', 'torchrun', 'srun'):
        number = next(i for i, word in enumerate(rest) if word.endswith('.py'))
        return parse_tool(parse, rest[number], rest[number + 1 :])
    if program == 'bash':
        path = ROOT / rest[0]
        assert path.is_file(), f'there is no {rest[0]}'
        if path.name in LAUNCHERS:
            options = rest[1:]
            del options[LAUNCHERS[path.name]]
            return parse_tool(parse, f'tools/{path.stem.split("_")[1]}.py', options)
        text = path.read_text()
        missing = [w for w in rest if w.startswith('--') and f'{w}' not in text]
        assert not missing, f'{rest[0]} does not know {missing}'
        return None
    if program.startswith(('.', '/')):
        assert (ROOT / program).is_file(), f'there is no {program}'
    else:
        assert program in OTHERS, f'{program} is no program that is known here'
    return None


@lru_cache
def load_config(path: str) -> Config:
    return Config.fromfile(path)


def check_setting(key: str, cfg: Config) -> None:
    """``key`` of --cfg-options: what it is to be set in is there."""
    place, parts = cfg, key.split('.')
    if parts[:1] == ['stages'] and parts[2:3] == ['options']:
        stage = cfg.stages[int(parts[1])]
        check_setting('.'.join(parts[3:]), load_config(str(find_stage_config(stage.config, cfg))))
        return
    for part in parts[:-1]:
        assert isinstance(place, (Config, ConfigDict, list)), f'{key}: nothing is in {part}'
        try:
            place = place[int(part)] if isinstance(place, list) else place[part]
        except (KeyError, IndexError, AttributeError):
            pytest.fail(f'{key}: {cfg.filename} has no {part} there')


@pytest.mark.parametrize(
    'words', COMMANDS, ids=lambda words: f'{COMMANDS[words]}: {" ".join(words)}'
)
def test_command(words, parse):
    args = parse_command(parse, list(words))
    for word in words:
        if word.startswith(('configs/', 'requirements/')) and '/mine/' not in word:
            assert (ROOT / word).exists(), f'there is no {word}'
    reader, layout = getattr(args, 'reader', None), getattr(args, 'layout', None)
    assert reader in {None, 'NAME', *known_readers()} or '.py' in reader
    assert layout in {None, *known_layouts()} or Path(layout).suffix == '.json'
    for name in getattr(args, 'protocols', []):
        assert name in PROTOCOLS or SEMI.fullmatch(name)
    config = getattr(args, 'config', None)
    settings = getattr(args, 'cfg_options', None)
    if settings and config not in STAND_INS:
        for key in settings:
            check_setting(key, load_config(str(ROOT / config)))


def test_a_wrong_command_is_found(parse):
    """What the pages must not have."""
    for words in (
        ['python', 'no_such_tool.py'],
        ['python', 'tools/train.py', 'configs/stars_demo.py', '--no-such-option'],
        ['stars-mm', 'no-such-command'],
        ['python', '-m', 'no_such_module'],
        ['no-such-program'],
        ['bash', 'tools/quickstart.sh', '--no-such-option'],
    ):
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            parse_command(parse, words)
    cfg = load_config(str(ROOT / 'configs/stars_demo.py'))
    for key in ('no_such.key', 'model.no_such.key', 'stages.0.options.model.no_such.key'):
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check_setting(key, cfg)


def test_blocks_are_split():
    block = "A=1 python a.py \\\n    --b 'c d' > e  # about it\nfor_x; y && z | w $(cat f)\n"
    assert list(split_commands(block)) == [
        ['python', 'a.py', '--b', 'c d'],
        ['for_x'],
        ['y'],
        ['z'],
        ['w', 'CHECKPOINT'],
    ]
