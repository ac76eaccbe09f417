"""Prints versions, and finds known faults of an installation, each with its remedy.

    stars-mm doctor

Nothing of what it looks at is imported, so that it works where that fails.

Exit status: 0 if there is no fault, 1 if there is one.
"""

import argparse
import json
import sys
from dataclasses import asdict

from stars_mm.utils.installation import Installation
from stars_mm.utils.known_traps import Finding, find_traps
from stars_mm.version import __version__

#: Packages whose versions are printed, where they are installed.
PACKAGES = (
    *('torch', 'numpy', 'mmengine', 'mmcv', 'mmcv-lite', 'mmaction2', 'scipy', 'scikit-learn'),
    *('onedl-mmengine', 'onedl-mmcv'),
    *('opencv-python', 'opencv-contrib-python', 'matplotlib', 'plotly', 'onnx', 'onnxruntime'),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--json', action='store_true', help='print it for a program to read')


def main(args: argparse.Namespace) -> int:
    found = Installation()
    traps = find_traps(found)
    faults = [trap for trap in traps if trap.is_fault]
    if args.json:
        notes = [trap for trap in traps if not trap.is_fault]
        content = dict(
            versions=versions(found),
            machine=machine(found),
            faults=[*map(_plain, faults)],
            notes=[*map(_plain, notes)],
        )
        print(json.dumps(content, indent=2))
        return int(bool(faults))
    for name, value in versions(found).items():
        print(f'{name:22} {value}')
    gigabytes = '' if found.memory is None else f', {found.memory / 2**30:.1f} GB of memory'
    print(f'{"machine":22} {found.system}, {found.cores} cores{gigabytes}')
    print(f'{"GPU":22} {", ".join(found.gpus) or "none"}\n')
    for trap in traps:
        print(f'{"FAULT" if trap.is_fault else "note"}: {trap.what}\n    remedy: {trap.remedy}')
    print(f'\n{len(faults)} fault{"s" * (len(faults) != 1)}' if faults else '\nno faults')
    return int(bool(faults))


def versions(found: Installation) -> dict[str, str]:
    """Versions by name, torch's with what it is built for."""
    named = {'stars_mm': __version__, 'python': f'{found.python} ({sys.executable})'}
    named |= {name: found.version(name) or '' for name in PACKAGES if found.version(name)}
    if 'torch' in named:
        named['torch'] += f' ({found.torch_build()})'
    return named


def machine(found: Installation) -> dict:
    """What computes; memory in bytes."""
    keys = ('system', 'cores', 'memory', 'shared_memory', 'gpus')
    return {key: getattr(found, key) for key in keys}


def _plain(trap: Finding) -> dict:
    return {key: value for key, value in asdict(trap).items() if key != 'is_fault'}
