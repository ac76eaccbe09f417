import argparse
import importlib
import sys
from collections.abc import Sequence

#: Subcommand → module of this package, what it does. A module has a docstring,
#: ``add_arguments(parser)`` and ``main(args)``; it is imported when its command is given.
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


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line ``stars-mm COMMAND …``."""
    parser = argparse.ArgumentParser(
        prog='stars-mm', description='Self-supervised recognition of actions from skeletons.'
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    argv = list(sys.argv[1:] if argv is None else argv)
    for name, (module, about) in COMMANDS.items():
        if argv[:1] != [name]:  # those that are not wanted are not imported
            commands.add_parser(name, help=about)
            continue
        found = importlib.import_module(f'stars_mm.cli.{module}')
        chosen = commands.add_parser(
            name,
            help=about,
            description=found.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        found.add_arguments(chosen)
        chosen.set_defaults(run=found.main)
    args = parser.parse_args(argv)
    args.run(args)
