"""The command ``stars-mm`` and its subcommands, a module each."""

from stars_mm.cli.main import main

__all__ = ['main']
