"""The command ``stars-mm``: its frame."""

import importlib
import sys

import pytest

from stars_mm.apis import classifiers
from stars_mm.apis.inputs import ReadOptions
from stars_mm.cli import learn
from stars_mm.cli import main as package_main
from stars_mm.cli.main import COMMANDS, main
from stars_mm.cli.reading import OPTIONS

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


def test_errors_that_a_user_can_mend(tmp_path, monkeypatch):
    """Messages of this package, and files that are not there; anything else keeps its traceback."""
    config = tmp_path / 'a.py'
    with pytest.raises(SystemExit, match='error: .*none.py'):
        main(['train', str(tmp_path / 'none.py')])
    config.write_text('')
    with pytest.raises(SystemExit, match=r'error: .*a\.py has no auto_scale_lr'):
        main(['train', str(config), '--auto-scale-lr'])

    def fault(args):
        int('x')

    monkeypatch.setattr(importlib.import_module('stars_mm.cli.train'), 'main', fault)
    with pytest.raises(ValueError, match='invalid literal'):
        main(['train', str(config)])


LIGHT = """if True:
    import sys
    sys.argv = ['/usr/local/bin/stars-mm', *sys.argv[1:]]
    from stars_mm.cli import main
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
    print({'torch', 'mmengine', 'mmcv', 'mmaction', 'numpy'} & set(sys.modules))
"""


@pytest.mark.parametrize(
    ('argv', 'loaded'),
    [
        ('--help', set()),
        ('convert --help', {'numpy', 'mmengine'}),
        ('learn --help', {'numpy'}),
        ('recognize --help', {'numpy'}),
        ('export --help', {'numpy'}),
    ],
)
def test_what_a_command_waits_for(argv, loaded, run_command):
    done = run_command(sys.executable, '-c', LIGHT, *argv.split())
    assert eval(done.stdout.splitlines()[-1]) == loaded
    assert done.stderr == ''


def test_choices_that_help_lists_without_torch():
    """They are those of the modules that are imported late."""
    assert (*OPTIONS, 'usual_layout') == tuple(ReadOptions.__dataclass_fields__)
    assert learn.CLASSIFIERS == tuple(classifiers.CLASSIFIERS)


@pytest.mark.slow
def test_registered_before_a_command_and_on_import(run_command):
    """The command registers before it reads a config; its child processes, and any other program,
    when they import the package; and no warning of mmcv's is shown."""
    code = """if True:
        import sys
        sys.argv = [sys.argv[1], 'train', '--help']
        from stars_mm.cli import main
        try:
            main()
        except SystemExit:
            from mmaction.registry import MODELS
            assert 'STARS' in MODELS.module_dict
    """
    for program in ('bin/stars-mm', 'other.py'):
        done = run_command(sys.executable, '-c', code, program)
        assert '--pretrain-epochs' in done.stdout and done.stderr == ''
