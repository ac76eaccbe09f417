import argparse
import importlib
import shlex
import sys
from collections.abc import Sequence

#: Subcommand → module of this package, what it does. A module has a docstring,
#: ``add_arguments(parser)`` and ``main(args)``, which may give an exit status; it is imported when
#: its command is given.
COMMANDS: dict[str, tuple[str, str]] = {
    'learn': ('learn', 'learn actions from a few examples'),
    'recognize': ('recognize', 'name the actions of recordings, or of a stream of frames'),
    'convert': ('convert', 'make an annotation file of recordings'),
    'inspect': ('inspect', 'describe an annotation file and what is wrong with it'),
    'train': ('train', 'train a config, all its stages'),
    'test': ('test', 'judge a checkpoint by the metrics of its config'),
    'evaluate': ('evaluate', 'run protocols on a checkpoint, one table of all'),
    'report': ('report', 'write a page to look at of a training'),
    'export': ('export', 'write an encoder or a recognizer as ONNX'),
    'doctor': ('doctor', 'print versions, find known faults of an installation'),
}


def main(argv: Sequence[str] | None = None) -> int | None:
    """Run the command line ``stars-mm COMMAND …``; gives its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog='stars-mm', description='Self-supervised recognition of actions from skeletons.'
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, (_, about) in COMMANDS.items():
        chosen = commands.add_parser(name, help=about)
        if argv[:1] == [name]:  # those that are not wanted are not imported
            describe(chosen, name)
    args = parser.parse_args(argv)
    args.command_line = shlex.join(['stars-mm', *argv])
    return args.run(args)


def run_script(command: str, argv: Sequence[str] | None = None) -> int | None:
    """Run a command as the script of ``tools/`` that goes by another name."""
    args = parse_command(command, list(sys.argv[1:] if argv is None else argv))
    return args.run(args)


def parse_command(command: str, argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command, as its ``main`` takes them."""
    parser = argparse.ArgumentParser()
    describe(parser, command)
    args = parser.parse_args(argv)
    args.command_line = shlex.join(['python', sys.argv[0], *argv])
    return args


def describe(parser: argparse.ArgumentParser, command: str) -> None:
    """Give a parser the help and the options of a command."""
    module = importlib.import_module(f'stars_mm.cli.{COMMANDS[command][0]}')
    parser.description = module.__doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    module.add_arguments(parser)
    parser.set_defaults(run=module.main)
