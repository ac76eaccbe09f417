"""The command ``stars-mm``: its frame."""

import importlib

import pytest

from stars_mm.cli import main as package_main
from stars_mm.cli.main import COMMANDS, main

#: Script of ``tools/`` → the command that it is.
SCRIPTS = {
    'train.py': 'train',
    'test.py': 'test',
    'data/convert.py': 'convert',
    'data/inspect_annotations.py': 'inspect',
    'analysis/evaluate.py': 'evaluate',
}


def test_help_lists_all(capsys):
    with pytest.raises(SystemExit) as end:
        package_main(['--help'])
    printed = capsys.readouterr().out
    assert end.value.code == 0
    listed = [line.split()[0] for line in printed.splitlines() if line.startswith('    ')]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)


@pytest.mark.parametrize('argv', [[], ['teach'], ['--no-such-option']])
def test_unknown_commands(argv, capsys):
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    assert 'usage: stars-mm' in capsys.readouterr().err


@pytest.mark.parametrize('script', SCRIPTS)
def test_a_script_is_the_command(script, load_tool, monkeypatch):
    """Both hand the arguments of one parser to one function."""
    name = SCRIPTS[script]
    module = importlib.import_module(f'stars_mm.cli.{name}')
    calls = []
    monkeypatch.setattr(module, 'main', lambda args: calls.append(args) or 3)
    argv = dict(convert=['a', 'b.pkl'], inspect=['a'], train=['a']).get(name, ['a', 'b'])
    argv = [*argv, '--protocols', 'knn'] if name == 'evaluate' else argv
    assert load_tool(script).main(argv) == 3
    assert main([name, *argv]) == 3
    script_args, command_args = map(vars, calls)
    assert command_args.pop('command') == name
    assert command_args.pop('command_line') == ' '.join(['stars-mm', name, *argv])
    assert script_args.pop('command_line').startswith('python ')
    assert script_args == command_args
