"""Finds and reads the files of PKU-MMD in a folder or a zip."""

import os.path as osp
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

#: The names of the split files, by phase and protocol. Copies with '-' for
#: '_' and the other way round go about.
SPLIT_FILES = {
    1: dict(xsub='cross-subject.txt', xview='cross-view.txt'),
    2: dict(xsub='cross_subject_v2.txt', xview='cross_view_v2.txt'),
}


class Recording(NamedTuple):
    """The two files of a recording, found and not read.

    Args:
        name (str): The name of both, without ending.
        skeleton (str): A path within the source.
        label (str): A path within the source.
        stamps (tuple[str]): Size and age of both, or in a zip size and
            checksum: they change when the files do.
    """

    name: str
    skeleton: str
    label: str
    stamps: tuple[str, str]


class Source(NamedTuple):
    """What was found.

    Args:
        recordings (list[Recording]): In the order of the file names.
        splits (dict): Protocol, xsub or xview → path of its split file.
        notes (list[str]): What was found and has no use.
    """

    recordings: list[Recording]
    splits: dict[str, str]
    notes: list[str]


def _list_files(src: str) -> dict[str, str]:
    """The ``.txt`` files of a folder or zip: path within it → stamp."""
    stamps = {}
    if osp.isdir(src):
        for path in Path(src).rglob('*.txt'):
            stat = path.stat()
            stamps[path.relative_to(src).as_posix()] = f'{stat.st_size} {stat.st_mtime_ns}'
    elif zipfile.is_zipfile(src):
        with zipfile.ZipFile(src) as archive:
            for info in archive.infolist():
                stamps[info.filename] = f'{info.file_size} {info.CRC}'
    elif osp.exists(src):
        raise ValueError(
            f'{src}: is neither a folder nor a readable zip. It may be cut off: get it again.'
        )
    else:
        raise FileNotFoundError(
            f'{src}: there is no such folder or zip. Get '
            "PKU-MMD's skeletons, labels and split files "
            'first.'
        )
    # A zip made on a Mac holds a shadow '._name' of each file.
    return {
        path: stamps[path]
        for path in sorted(stamps)
        if path.endswith('.txt') and not osp.basename(path).startswith('.')
    }


def read_file(src: str, path: str) -> bytes:
    """Reads a file of the source.

    Raises:
        ValueError: If a zip does not give it.
        OSError: If it cannot be read.
    """
    if osp.isdir(src):
        return Path(src, path).read_bytes()
    try:
        with zipfile.ZipFile(src) as archive:
            return archive.read(path)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, NotImplementedError) as error:
        raise ValueError(f'cannot be unpacked ({error}). Get the zip again.') from error


def _in_folder(src: str, paths: list[str], kind: str) -> dict[str, str]:
    """Files whose folder's name has ``kind`` in it: stem → path."""
    found = [path for path in paths if kind in PurePosixPath(path).parent.name.lower()]
    if not found:
        raise ValueError(
            f"{src}: holds no .txt in a folder '{kind}'. Give the folder or "
            "zip that has 'skeleton', 'label' and the split files in it."
        )
    stems = Counter(PurePosixPath(path).stem for path in found)
    double = [path for path in found if stems[PurePosixPath(path).stem] > 1]
    if double:
        stem = PurePosixPath(double[0]).stem
        one, other = [p for p in double if PurePosixPath(p).stem == stem][:2]
        raise ValueError(f"{src}: '{one}' and '{other}' have one name. Remove one of them.")
    return {PurePosixPath(path).stem: path for path in found}


def _find_splits(src: str, paths: list[str], phase: int) -> dict[str, str]:
    """The split file of each protocol."""
    by_name: dict[str, list[str]] = {}
    for path in paths:
        name = PurePosixPath(path).name.lower().replace('_', '-')
        by_name.setdefault(name, []).append(path)
    splits = {}
    for protocol, name in SPLIT_FILES[phase].items():
        found = by_name.get(name.replace('_', '-'), [])
        if not found:
            others = [p for n, p in by_name.items() if n.startswith('cross-') for p in p]
            there = f' It has {", ".join(others)}.' if others else ''
            raise ValueError(
                f"{src}: has no split file '{name}' (phase {phase}, "
                f'{protocol}).{there} Put it beside the skeletons, or give '
                'the other --phase.'
            )
        if len(found) > 1:
            raise ValueError(
                f"{src}: '{found[0]}' and '{found[1]}' are the same split file. Remove one of them."
            )
        (splits[protocol],) = found
    return splits


def find_source(src: str, phase: int) -> Source:
    """Finds the recordings and split files.

    Args:
        src (str): The folder or zip.
        phase (int): 1 or 2.

    Returns:
        Source: What was found.

    Raises:
        FileNotFoundError: If there is no such folder or zip.
        ValueError: If a file is missing or there twice.
    """
    if phase not in SPLIT_FILES:
        raise ValueError(f'phase={phase!r}: choose 1 or 2.')
    stamps = _list_files(src)
    paths = list(stamps)
    if not paths:
        raise ValueError(
            f'{src}: holds no .txt. Give the folder or zip that '
            "has 'skeleton', 'label' and the split files in it."
        )
    skeletons = _in_folder(src, paths, 'skeleton')
    labels = _in_folder(src, paths, 'label')
    for name in skeletons:
        if name not in labels:
            raise ValueError(
                f"{src}: '{skeletons[name]}' has no label file "
                f'{name}.txt. Get it, or remove the skeletons.'
            )
    notes = []
    if unused := sorted(labels.keys() - skeletons.keys()):
        notes.append(f'{len(unused)} label files have no skeletons, such as {labels[unused[0]]}')
    names = sorted(skeletons, key=lambda name: f'{name}.txt')
    recordings = [
        Recording(
            name, skeletons[name], labels[name], (stamps[skeletons[name]], stamps[labels[name]])
        )
        for name in names
    ]
    return Source(recordings, _find_splits(src, paths, phase), notes)
