"""A folder of clips, one file each."""

import csv
import logging
import os
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from re import Pattern

from mmengine.logging import print_log

from stars_mm.preparation.layouts import SkeletonLayout, get_layout
from stars_mm.preparation.readers.tables import (
    CHANNELS,
    TableOptions,
    load_csv,
    load_json,
    load_npy,
)
from stars_mm.preparation.recording import Clip, Recording

_LOADERS: dict[str, Callable[[str, TableOptions], Clip]] = {
    '.csv': load_csv,
    '.tsv': load_csv,
    '.npy': load_npy,
    '.json': load_json,
}
_INDEX_COLUMNS = ('name', 'label', 'subject', 'split', 'camera')


def path_pattern(template: str) -> Pattern:
    """Compiles a template of paths.

    Args:
        template (str): Such as '{label}/{subject}_{take}' or 'a{label}_s{subject}_*'; a field is a
            part of a folder's or file's name and as short as it can be.

    Returns:
        re.Pattern: For paths without their ending, with a group a field.

    Raises:
        ValueError: If a field has no name or two have one.
    """
    parts = re.split(r'\{(.*?)\}', template)
    fields = parts[1::2]
    bad = [f for n, f in enumerate(fields) if not f.isidentifier() or f in fields[:n]]
    if bad or not fields:
        raise ValueError(
            f'--pattern {template!r}: write fields as {{label}}, {{subject}}, '
            f'each once; {bad[0] if bad else None!r} is none.'
        )
    regex = ''
    for n, part in enumerate(parts):
        regex += f'(?P<{part}>[^/]+?)' if n % 2 else re.escape(part).replace(r'\*', '[^/]*')
    return re.compile(regex)


def read_index(path: str) -> dict[str, dict]:
    """Reads an index of clips.

    Args:
        path (str): A CSV whose header names the columns name, label and
            optionally subject, split and camera.

    Returns:
        dict: Name → its row, with ``line``. Empty cells are None.

    Raises:
        ValueError: Names file and line.
    """
    rows: dict[str, dict] = {}
    with open(path, encoding='utf-8-sig', newline='') as file:
        try:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = reader.fieldnames or []
            if not {'name', 'label'} <= set(columns) or not set(columns) <= set(_INDEX_COLUMNS):
                raise ValueError(
                    f'{path}: line 1 must name the columns name,label and may '
                    f'name subject,split,camera; it has {",".join(columns)}.'
                )
            for row in reader:
                line = f'{path}: line {reader.line_num}'
                if None in row or None in row.values():
                    raise ValueError(f'{line} has not {len(columns)} columns.')
                row = {key: value.strip() or None for key, value in row.items()}
                if row['name'] is None or row['label'] is None:
                    raise ValueError(f'{line}: name or label is empty.')
                if row['name'] in rows:
                    raise ValueError(
                        f'{line}: {row["name"]!r} is in line {rows[row["name"]]["line"]} too.'
                    )
                rows[row['name']] = dict(row, line=reader.line_num)
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f'{path}: is no readable CSV ({error}).') from error
    if not rows:
        raise ValueError(f'{path}: names no clip.')
    return rows


def read(
    src: str,
    layout: str | dict | SkeletonLayout,
    pattern: str | None = None,
    index: str | None = None,
    channels: str | None = None,
    num_person: int = 2,
) -> list[Recording]:
    """Lists the clips of a folder; each is read when it is converted.

    Args:
        src (str): A folder; every ``.csv``, ``.tsv``, ``.npy`` and ``.json`` in it, at any depth,
            is a clip. Its name is its path in the folder without the ending.
        layout (str, dict or SkeletonLayout): The joints.
        pattern (str, optional): Where label, subject, camera and split stand
            in that name; see :func:`path_pattern`. Without it and ``index``,
            the label is the name of the folder that a file lies in.
        index (str, optional): A CSV that says it for each name; see
            :func:`read_index`. Files that it does not name are left out.
        channels (str, optional): What the numbers of a joint are; see :class:`TableOptions`.
        num_person (int): Persons that are kept of mmpose's predictions.

    Returns:
        list[Recording]: Sorted by name.

    Raises:
        FileNotFoundError, ValueError: Names the file and says what to do.
    """
    if channels is not None and channels not in CHANNELS:
        raise ValueError(f'channels={channels!r}: choose one of {CHANNELS}.')
    if not os.path.isdir(src):
        raise FileNotFoundError(f'{src}: there is no such folder.')
    if index is not None and not os.path.isfile(index):
        raise FileNotFoundError(f'--index {index}: there is no such file.')
    options = TableOptions(get_layout(layout), channels, num_person)
    files = _list_files(Path(src), index)
    facts = (
        _facts_of_index(files, index)
        if index
        else {name: _facts_of_path(name, path, pattern) for name, path in files.items()}
    )
    return [
        Recording(
            name=name,
            keypoints=partial(_LOADERS[files[name].suffix.lower()], str(files[name]), options),
            source=str(files[name]),
            **fact,
        )
        for name, fact in facts.items()
    ]


def _list_files(src: Path, index: str | None) -> dict[str, Path]:
    paths = sorted(
        path
        for path in src.rglob('*')
        if path.suffix.lower() in _LOADERS
        and not path.name.startswith('.')
        and not path.is_dir()
        and not (index and path.resolve() == Path(index).resolve())
    )
    if not paths:
        raise ValueError(f'{src}: holds no {", ".join(_LOADERS)}. Give the folder of the clips.')
    files = {}
    for path in paths:
        name = path.relative_to(src).with_suffix('').as_posix()
        if name in files:
            raise ValueError(f'{path}: has the same name as {files[name]}. Remove one of them.')
        files[name] = path
    return files


def _facts_of_path(name: str, path: Path, pattern: str | None) -> dict:
    if pattern is None:
        if '/' not in name:
            raise ValueError(
                f'{path}: lies in no folder that would name its class. Give '
                "--pattern, such as '{label}_{subject}_{take}', or --index."
            )
        return dict(label=name.split('/')[-2], subject=None)
    match = path_pattern(pattern).fullmatch(name)
    if match is None:
        raise ValueError(
            f'{path}: {name!r} does not match the pattern '
            f'{pattern!r}. Rename it, or correct --pattern.'
        )
    fields = match.groupdict()
    if 'label' not in fields:
        raise ValueError(f'--pattern {pattern!r}: has no {{label}}.')
    return dict(
        label=fields['label'],
        subject=fields.get('subject'),
        camera=fields.get('camera'),
        split=fields.get('split'),
    )


def _facts_of_index(files: dict[str, Path], index: str) -> dict[str, dict]:
    """The rows of an index under the names of the files; a row may give the whole name, or the
    file's alone where no two share it, with or without the ending."""
    stems = Counter(name.rsplit('/', 1)[-1] for name in files)
    known = {}
    for name, path in files.items():
        stem = name.rsplit('/', 1)[-1]
        keys = [name] + [stem] * (stems[stem] == 1)
        for key in keys:
            known[key] = known[key + path.suffix] = name
    facts: dict[str, dict] = {}
    for row in read_index(index).values():
        where = f'{index}: line {row.pop("line")}'
        given = row.pop('name')
        if given not in known:
            raise ValueError(
                f'{where}: there is no file {given!r} (or '
                'several). Correct the name, or remove the line.'
            )
        if known[given] in facts:
            raise ValueError(f'{where}: {given!r} is the file of an earlier line.')
        facts[known[given]] = dict(dict(subject=None), **row)
    if len(facts) < len(files):
        print_log(
            f'{len(files) - len(facts)} files are left out, such as '
            f'{files[min(files.keys() - facts.keys())]}: {index} does not '
            'name them',
            'current',
            logging.WARNING,
        )
    return dict(sorted(facts.items()))
