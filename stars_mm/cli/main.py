import argparse
import importlib
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import stars_mm
from stars_mm.utils.input_error import InputError

#: Subcommand → what it does. Each is a module of this package with a docstring,
#: ``add_arguments(parser)`` and ``main(args)``, which may give an exit status; it is imported when
#: its command is given.
COMMANDS = {
    'learn': 'learn actions from a few examples',
    'recognize': 'name the actions of recordings, or of a stream of frames',
    'convert': 'make an annotation file of recordings',
    'inspect': 'describe an annotation file and what is wrong with it',
    'train': 'train a config, all its stages',
    'test': 'judge a checkpoint by the metrics of its config',
    'evaluate': 'run protocols on a checkpoint, one table of all',
    'report': 'write a page to look at of a training',
    'export': 'write an encoder or a recognizer as ONNX',
    'doctor': 'print versions, find known faults of an installation',
}

#: Those that need nothing of mmaction2, and so do not wait for it.
ALONE = ('convert', 'inspect', 'doctor')

#: Those whose options are told without it, too.
LATE = (*ALONE, 'learn', 'recognize', 'export')

#: An error of one of these types, raised by this package, is the user's to mend.
MENDABLE = (FloatingPointError, ImportError, OSError, RuntimeError, ValueError)


def main(argv: Sequence[str] | None = None) -> int | None:
    """Run the command line ``stars-mm COMMAND …``; gives its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog='stars-mm', description='Self-supervised recognition of actions from skeletons.'
    )
    parser.add_argument('--version', action='version', version=f'stars_mm {stars_mm.__version__}')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    chosen = {name: commands.add_parser(name, help=about) for name, about in COMMANDS.items()}

    def run() -> int | None:
        if argv and argv[0] in chosen:  # those that are not wanted are not imported
            describe(chosen[argv[0]], argv[0])
        args = parser.parse_args(argv)
        args.command_line = shlex.join(['stars-mm', *argv])
        return call(args.command, args)

    return without_traceback(run)


def run_script(command: str, argv: Sequence[str] | None = None) -> int | None:
    """Run a command as the script of ``tools/`` that goes by another name."""

    def run() -> int | None:
        return call(command, parse_command(command, sys.argv[1:] if argv is None else argv))

    return without_traceback(run)


def parse_command(command: str, argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command, as its ``main`` takes them."""
    parser = argparse.ArgumentParser()
    describe(parser, command)
    args = parser.parse_args(argv)
    args.command_line = shlex.join(['python', sys.argv[0], *argv])
    return args


def call(command: str, args: argparse.Namespace) -> int | None:
    """Run a command, with all parts registered where it may need them."""
    if command not in ALONE:
        stars_mm.register()
    return args.run(args)


def describe(parser: argparse.ArgumentParser, command: str) -> None:
    """Give a parser the help and the options of a command."""
    if command not in LATE:
        stars_mm.register()
    module = importlib.import_module(f'stars_mm.cli.{command}')
    parser.description = module.__doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    module.add_arguments(parser)

    parser.set_defaults(run=module.main)


def without_traceback(run: Callable[[], int | None]) -> int | None:
    """Call a function; an error that the user can mend ends the process with its message alone."""
    try:
        return run()
    except MENDABLE as error:
        if not (isinstance(error, (OSError, InputError)) or is_ours(error)):
            raise
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        print('\ninterrupted', file=sys.stderr)
        sys.exit(130)


def is_ours(error: BaseException | None) -> bool:
    """Whether a ``raise`` of this package is behind an error: its message says what to do. Whoever
    looks into any other needs the traceback."""
    package = str(Path(__file__).resolve().parents[1])
    while error is not None:  # a registry raises what it meets in a part anew
        *_, last = traceback.extract_tb(error.__traceback__)
        if last.filename.startswith(package) and (last.line or '').startswith('raise'):
            return True
        error = error.__cause__ or error.__context__
    return False
