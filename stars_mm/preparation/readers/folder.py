"""A folder of clips, one file each."""

import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from re import Pattern

from mmengine.logging import print_log

from stars_mm.preparation.layouts import SkeletonLayout, get_layout, known_layouts
from stars_mm.preparation.readers import tables
from stars_mm.preparation.recording import Clip, Recording, RecordingSet
from stars_mm.preparation.source_files import SourceFile, find_files, labels_of_folders
from stars_mm.utils.input_error import InputError, reading, shown

_PARSERS = {
    '.csv': tables.parse_csv,
    '.tsv': tables.parse_csv,
    '.npy': tables.parse_npy,
    '.json': tables.parse_json,
}
_INDEX_COLUMNS = ('name', 'label', 'subject', 'split', 'camera')


def path_pattern(template: str) -> Pattern:
    """Compiles a template of paths without ending to a group a field, which is a part of a folder's
    or file's name and as short as it can be: '{label}/{subject}_{take}', 'a{label}_s{subject}_*'.

    Raises:
        ValueError: If a field has no name or two have one.
    """
    parts = re.split(r'\{(.*?)\}', template)
    fields = parts[1::2]
    bad = [f for n, f in enumerate(fields) if not f.isidentifier() or f in fields[:n]]
    if bad or not fields:
        fields = 'write fields as {label}, {subject}, each once'
        raise ValueError(f'--pattern {template!r}: {fields}; {bad[0] if bad else None!r} is none.')
    regex = ''
    for n, part in enumerate(parts):
        regex += f'(?P<{part}>[^/]+?)' if n % 2 else re.escape(part).replace(r'\*', '[^/]*')
    return re.compile(regex)


def read_index(path: str) -> dict[str, dict]:
    """Reads a CSV whose header names the column name and optionally label, subject, split and
    camera: name → its row, with ``line``; empty cells are None. Whether a comma, a semicolon or a
    tab parts cells, the header tells. A ValueError names file and line.
    """
    rows: dict[str, dict] = {}
    with reading(path):
        text = Path(path).read_text(encoding='utf-8-sig')
        comma = max(',;\t', key=text.partition('\n')[0].count)
        lines = io.StringIO(text, newline='')
        reader = csv.DictReader(lines, delimiter=comma, skipinitialspace=True)
        columns = reader.fieldnames or []
        if 'name' not in columns or not set(columns) <= set(_INDEX_COLUMNS):
            known = 'name and may name label,subject,split,camera'
            raise ValueError(f'line 1 must name the columns {known}; it has {",".join(columns)}.')
        for row in reader:
            line = f'line {reader.line_num}'
            if None in row or None in row.values():
                raise ValueError(f'{line} has not {len(columns)} columns.')
            row = {key: value.strip() or None for key, value in row.items()}
            if row['name'] is None:
                raise ValueError(f'{line}: name is empty.')
            if row['name'] in rows:
                other = rows[row['name']]['line']
                raise ValueError(f'{line}: {row["name"]!r} is in line {other} too.')
            rows[row['name']] = dict(row, line=reader.line_num)
        if not rows:
            raise ValueError('names no clip.')
    return rows


def read(
    src: str,
    layout: str | dict | SkeletonLayout | None = None,
    pattern: str | None = None,
    index: str | None = None,
    channels: str | None = None,
    num_person: int = 2,
    suffixes: Sequence[str] = tuple(_PARSERS),
) -> RecordingSet:
    """Lists the clips of a folder; each is read when it is converted.

    Args:
        src (str): A folder or zip; every file in it, at any depth, is a clip. Its name is its path
            in the folder without the ending.
        layout (str, dict or SkeletonLayout): The joints; there is no default.
        pattern (str, optional): Where label, subject, camera and split stand in that name; see
            :func:`path_pattern`. By default the label is the name of the folder of a file; where
            all files lie in ``src`` itself, clips have no label.
        index (str, optional): A CSV that says it for each name; see :func:`read_index`. Files that
            it does not name are left out.
        channels (str, optional): What the numbers of a joint are; see :class:`TableOptions`.
        num_person (int): Persons that are kept of mmpose's predictions.
        suffixes (sequence[str]): Endings of the files, '.json' alone for mmpose's predictions.

    Raises:
        FileNotFoundError, ValueError: Names the file and says what to do.
    """
    if channels is not None and channels not in tables.CHANNELS:
        raise ValueError(f'channels={channels!r}: choose one of {tables.CHANNELS}.')
    if layout is None:
        known = f'{known_layouts()} or a .json or .yml file'
        raise ValueError(f'what are the joints? Give --layout, one of {known}.')
    options = tables.TableOptions(get_layout(layout), channels, num_person)
    if index is not None and not Path(index).is_file():
        raise FileNotFoundError(f'--index {index}: there is no such file.')
    files: dict[str, SourceFile] = {}
    for file in find_files(src, tuple(suffixes)):
        if index and Path(src, file.path).resolve() == Path(index).resolve():
            continue
        if file.name in files:
            other = files[file.name].where
            raise ValueError(f'{file.where}: has the same name as {other}. Remove one of them.')
        files[file.name] = file
    if index:
        described = _describe_by_index(files, index)
    else:
        described = _describe_by_path(files, pattern)
    recordings = []
    for name, fields in described.items():
        read_clip = partial(load, files[name], options)
        recordings.append(Recording(name, keypoints=read_clip, source=files[name].where, **fields))
    return RecordingSet(recordings, layout=options.layout)


def load(file: SourceFile, options: tables.TableOptions) -> Clip:
    """What is in a clip's file."""
    return parse(file.path, file.read(), options)


def parse(path: str, content: bytes, options: tables.TableOptions) -> Clip:
    """What the content of a clip's file is, by the ending of its path."""
    return _PARSERS[Path(path).suffix.lower()](content, options)


def _describe_by_path(files: dict[str, SourceFile], pattern: str | None) -> dict[str, dict]:
    """Label, subject and so on as the clips' paths say them."""
    if pattern is None:
        labels = labels_of_folders(list(files.values()))
        return {name: dict(label=label) for name, label in zip(files, labels)}
    described, template = {}, path_pattern(pattern)
    for name, file in files.items():
        match = template.fullmatch(name)
        if match is None:
            why = f'{name!r} does not match the pattern {pattern!r}'
            raise ValueError(f'{file.where}: {why}. Rename it, or correct --pattern.')
        fields = match.groupdict()
        described[name] = {key: fields.get(key) for key in _INDEX_COLUMNS[1:]}
    return described


def _describe_by_index(files: dict[str, SourceFile], index: str) -> dict[str, dict]:
    """The rows of an index under the names of the files; a row may give the whole name, or the
    file's alone where no two share it, with or without the ending."""
    stems = Counter(file.stem for file in files.values())
    known = {}
    for name, file in files.items():
        for key in [name] + [file.stem] * (stems[file.stem] == 1):
            known[key] = known[key + Path(file.path).suffix] = name
    described: dict[str, dict] = {}
    for row in read_index(index).values():
        where = f'line {row.pop("line")}'
        given = row.pop('name')
        if given not in known:
            problem = f'{where}: there is no file {shown(given)} (or several)'
            raise InputError(index, problem, 'Mend the line.')
        if known[given] in described:
            raise InputError(index, f'{where}: {shown(given)} is the file of an earlier line')
        described[known[given]] = row
    if unnamed := files.keys() - described.keys():
        left_out = f'{len(unnamed)} files are left out, such as {files[min(unnamed)].where}'
        print_log(f'{left_out}: {index} does not name them', 'current', logging.WARNING)
    return dict(sorted(described.items()))
