"""Damages files: their bytes, and what is inside of them under sound checksums and lengths."""

import ast
import io
import json
import pickletools
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

#: Path within a folder → content. A path that ends in a slash is an empty folder.
Files = dict[str, bytes]
Rng = np.random.Generator

MOST_BYTES = 4 << 20  # of a file after its mutations
_WORDS = (
    '0 -1 1 2 7 300 65536 2147483647 2147483648 4294967296 9223372036854775807 '
    '18446744073709551616 99999999999999999999999999 nan NaN inf -inf Infinity 1e5 -1e5 1e39 '
    '1e308 1e400 -1e400 1e-320 0.0 -0.0 .5 null true None 1_000 0x10 1j x \u0663 \ud7ff \x00 " [ } '
    '../../up /dev/zero'
).split()
_TREE: list[Any] = [
    *(None, True, False, 0, -1, 1, 3, 0.5, 1e5, -1e39, 1e308, float('inf'), float('nan')),
    *(2**31, -(2**31), 2**63, 2**64, 10**400, '', 'x', '0', '1', 'nan', '\ud800', '\0', 'x' * 3000),
    *('../../up', '/dev/zero', '__DEEP__', '__LONG__', [], {}, [[]], [[], [1]], [{}], [0] * 2000),
    *({'type': 'os.system'}, {'init_cfg': {}}, {'$tuple': 3}, {'$dict': [[[], 1]]}),
    *({'$numpy': ['O', [3], [1]]}, {'$numpy': ['<f8', [-1], [1, 2]]}, {'$numpy': ['f4', None, []]}),
    *({'$numpy': ['V8', [10**9], []]}, {'$numpy': [['x'], 1, 2]}),
]
#: Opcodes that make much of little, forge references, or name what nobody may call.
_OPCODES = (
    b'cos\nsystem\n(S"true"\ntR', b'cnumpy\nndarray\n((K\x08tcnumpy\ndtype\n(S"O"\ntRtR',
    b'cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR', b'cbuiltins\nbytes\n(J\xff\xff\xff\x7ftR',
    b'r\xff\xff\xff\x7f', b'j\xff\xff\xff\x7f', b'h\xff', b'q\x00', b'\x95' + b'\xff' * 8,
    b'\x8e' + b'\xff\xff\xff\x7f\0\0\0\0', b'\x8b\xff\xff\xff\x7f', b'B\xff\xff\xff\x7f',
    b'(' * 500, b']' * 30 + b'a' * 29, b')' + b'\x85' * 3000, b'}', b']', b')', b'N', b'0', b'1',
    b'.', b'a', b'e', b's', b'u', b't', b'R', b'b', b'2', b'\x81', b'\x93', b'Qx', b'P0\n',
    b'I1' + b'0' * 5000 + b'\n', b'F1e400\n', b'G\x7f\xf8\0\0\0\0\0\0', b'K\x00',
    b'J\xff\xff\xff\xff',
)  # fmt: skip


def write_files(files: Files, folder: Path) -> None:
    """Writes files into a folder; a name that no file can have is left out."""
    for name, content in files.items():
        path = folder / name
        with suppress(OSError, ValueError):
            (path if name.endswith('/') else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith('/'):
                path.write_bytes(content)


def mutate(files: Files, rng: Rng) -> Files:
    """Some files with one to a few changes, mostly in one of them."""
    files = dict(files)
    for _ in range(min(int(rng.geometric(0.6)), 5)):
        name = _pick(rng, sorted(files))
        if len(files) > 1 and rng.random() < 0.08:
            _exchange(files, name, rng)
        else:
            files[name] = mutate_file(name, files[name], rng)[:MOST_BYTES]
    return files


def mutate_file(name: str, content: bytes, rng: Rng) -> bytes:
    """A file's content with one change, inside of its structure where its name tells one."""
    change = _BY_ENDING.get(PurePosixPath(name).suffix.lower())
    if change is not None and rng.random() < 0.75:
        try:
            return change(content, rng)
        except Exception:  # what was changed before has no structure any more
            pass
    return change_bytes(content, rng)


def change_bytes(content: bytes, rng: Rng) -> bytes:
    """Flips bits, cuts off, splices, repeats, overwrites words."""
    data, size = bytearray(content), len(content)
    a, b = sorted(rng.integers(0, size + 1, 2).tolist())
    b = min(b, a + int(2 ** rng.uniform(0, 9)))
    kind = rng.integers(9)
    if kind == 0:
        for place in rng.integers(0, size or 1, int(2 ** rng.uniform(0, 5))) if size else ():
            data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[int(rng.integers(0, size + 1)) :]
    elif kind == 2:
        del data[a:b]
    elif kind == 3:
        data[a:a] = data[a:b] * int(rng.integers(1, 9))
    elif kind == 4:
        c = int(rng.integers(0, size + 1))
        data[c : c + b - a] = data[a:b]
    elif kind == 5:
        data[a:b] = rng.bytes(b - a)
    elif kind == 6:
        width = _pick(rng, [1, 2, 4, 8])
        number = _pick(rng, [0, 1, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1])
        word = (number % 256**width).to_bytes(width, _pick(rng, ['little', 'big']))
        data[a : a + width] = word
    elif kind == 7:
        data = bytearray(rng.bytes(int(2 ** rng.uniform(0, 9))) if rng.random() < 0.7 else b'')
    else:
        data[a:a] = _pick(
            rng, [b'\0', b'\xff', b'\n', b' ', b'PK\x03\x04', b'\x80\x04', b'\xfe\xff']
        )
    return bytes(data)


def change_text(content: bytes, rng: Rng) -> bytes:
    """Changes words and lines."""
    text = content.decode('utf-8', 'surrogateescape')
    kind = rng.integers(6)
    if kind < 3:
        words = [found.span() for found in re.finditer(r'[^\s,:;"{}\[\]()]+', text)]
        start, end = _pick(rng, words)
        text = text[:start] + _word(text[start:end], rng) + text[end:]
    else:
        lines = text.split('\n')
        n, m = rng.integers(0, len(lines), 2).tolist()
        if kind == 3:
            del lines[n]
        elif kind == 4:
            lines[n:n] = [lines[m]] * int(2 ** rng.uniform(0, 8))
        else:
            part = _pick(rng, ['', ' ', ',', '\t', ';', '\r', '"', '#', ' x', ' 1', lines[m]])
            lines[n] += part * int(2 ** rng.uniform(0, 6))
        text = '\n'.join(lines)
    return text.encode('utf-8', 'surrogateescape')


def change_json(content: bytes, rng: Rng) -> bytes:
    """Changes a value of JSON."""
    text = json.dumps(_change_tree(json.loads(content), rng), ensure_ascii=False)
    depth = int(2 ** rng.uniform(5, 17))
    deep = _pick(rng, ['[' * depth + ']' * depth, '{"a":' * depth + '0' + '}' * depth, '[' * depth])
    text = text.replace('"__DEEP__"', deep).replace('"__LONG__"', '1' + '0' * 5000)
    return text.encode('utf-8', 'surrogatepass')


def change_json_lines(content: bytes, rng: Rng) -> bytes:
    """Changes a line of JSON."""
    lines = content.split(b'\n')
    n = int(rng.integers(len(lines)))
    lines[n] = change_json(lines[n], rng)
    return b'\n'.join(lines)


def change_npy(content: bytes, rng: Rng) -> bytes:
    """Changes what a ``.npy`` says of its array, or its numbers."""
    major = content[6]
    size = struct.unpack_from('<H' if major == 1 else '<I', content, 8)[0]
    start = 8 + (2 if major == 1 else 4)
    about, data = ast.literal_eval(content[start : start + size].decode()), content[start + size :]
    kind = rng.integers(5)
    if kind == 0:
        about['descr'] = _pick(
            rng, '|O <f2 <f4 >f8 <i8 <u8 |b1 <c16 <U3 <U0 |V8 |S0 <M8[s] f x <f3 <i0 |O8'.split()
        )
        if rng.random() < 0.2:
            about['descr'] = [('a', '<f4'), ('b', '|O')]
    elif kind == 1:
        shape = list(about['shape']) or [1]
        n = int(rng.integers(len(shape)))
        shape[n] = _pick(
            rng, [0, -1, 1, 2, shape[n] + 1, 10**6, 10**9, 2**31, 2**62, 2**64, 1.5, 'x']
        )
        about['shape'] = _pick(rng, [tuple(shape), (*shape, 1), (), (1,) * 70, tuple(shape[::-1])])
    elif kind == 2:
        about['fortran_order'] = _pick(rng, [True, False, 1, None])
    elif kind == 3:
        place = 4 * int(rng.integers(max(len(data) // 4, 1)))
        value = _pick(rng, [np.nan, np.inf, -np.inf, 1e5, -3e38, 1e-40, 0.0])
        data = data[:place] + np.array(value, about['descr']).tobytes() + data[place:]
        data = data[: len(content) - start - size]
    else:
        header = change_text(repr(about).encode(), rng)
        return _npy(header, data)
    return _npy(repr(about).encode(), data)


def change_zip(content: bytes, rng: Rng) -> bytes:
    """Changes a member of a zip, or the list of them; its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if sum(info.file_size for info in infos) > MOST_BYTES:
            raise ValueError('it was made a bomb before')
        members = [(info.filename, archive.read(info), info.compress_type) for info in infos]
    n = int(rng.integers(len(members)))
    name, data, how = members[n]
    kind = rng.random()
    if kind < 0.8:
        ending = '.pkl' if name.endswith('data.pkl') else PurePosixPath(name).suffix
        members[n] = name, mutate_file(f'x{ending}', data, rng), how
    elif kind < 0.84:
        del members[n]
    elif kind < 0.88:
        members.append((name, _pick(rng, members)[1], how))  # twice
    elif kind < 0.92:
        names = ['../' + name, '/' + name, name.upper(), name + ' ', 'a\\' + name, 'é/' + name]
        members[n] = _pick(rng, [*names, name[1:], _pick(rng, members)[0]]), data, how
    elif kind < 0.96:
        members[n] = name, _pick(rng, members)[1], how
    elif kind < 0.997:
        members[n] = name, data, 8 - how
    else:
        return _with_bomb(members, n)
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        for name, data, how in members:
            archive.writestr(zipfile.ZipInfo(name), data, how)
    return file.getvalue()


def change_pickle(content: bytes, rng: Rng) -> bytes:
    """Changes the opcodes of a pickle."""
    places = [place for _, _, place in pickletools.genops(content)] + [len(content)]
    parts = [content[a:b] for a, b in zip(places, places[1:])]
    n, m = rng.integers(0, len(parts), 2).tolist()
    kind = rng.integers(7)
    if kind == 0:
        del parts[n]
    elif kind == 1:
        parts[n:n] = [parts[m]]
    elif kind == 2:
        parts[n], parts[m] = parts[m], parts[n]
    elif kind == 3:
        parts[n:n] = [_pick(rng, _OPCODES)]
    elif kind == 4:
        parts[n] = _pick(rng, _OPCODES)
    elif kind == 5:
        parts[n] = parts[n][:1] + change_bytes(parts[n][1:], rng)
    else:  # another value of the same kind
        alike = [part for part in parts if part[:1] == parts[n][:1]]
        parts[n] = _pick(rng, alike)
    return b''.join(parts)


def change_safetensors(content: bytes, rng: Rng) -> bytes:
    """Changes the list of tensors."""
    (size,) = struct.unpack_from('<Q', content)
    header = change_json(content[8 : 8 + size], rng)
    return struct.pack('<Q', len(header)) + header + content[8 + size :]


_BY_ENDING: dict[str, Callable[[bytes, Rng], bytes]] = {
    **dict.fromkeys(['.zip', '.npz', '.pth'], change_zip),
    **dict.fromkeys(['.csv', '.tsv', '.txt', '.bvh', '.yml', '.skeleton', ''], change_text),
    '.json': change_json,
    '.jsonl': change_json_lines,
    '.npy': change_npy,
    '.pkl': change_pickle,
    '.safetensors': change_safetensors,
}


def _exchange(files: Files, name: str, rng: Rng) -> None:
    """Takes a file away, empties it, gives it another's content or name, or makes it a folder."""
    other, kind = _pick(rng, sorted(files)), rng.integers(5)
    if kind == 0:
        del files[name]
    elif kind == 1:
        files[name] = b''
    elif kind == 2:
        files[name] = files[other]
    elif kind == 3:
        folder, _, last = name.rpartition('/')
        stem, dot, ending = last.partition('.')
        last = _word(stem, rng).translate({0: None, 47: None}) + dot + ending
        files[f'{folder}/{last}' if folder else last] = files.pop(name)
    else:
        del files[name]
        files[f'{name}/'] = b''


def _word(word: str, rng: Rng) -> str:
    kind = rng.integers(4)
    if kind == 0:
        return word[: int(rng.integers(len(word) + 1))]
    if kind == 1:
        return word * int(2 ** rng.uniform(0, 12))
    return _pick(rng, _WORDS)


def _change_tree(tree: Any, rng: Rng) -> Any:
    """A change somewhere in nested lists and dicts: each level as likely as the one below it."""
    if isinstance(tree, (list, dict)) and tree and rng.random() < 0.8:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        key, kind = _pick(rng, keys), rng.random()
        if kind < 0.75:
            tree[key] = _change_tree(tree[key], rng)
        elif kind < 0.82:
            del tree[key]
        elif kind < 0.9:
            tree[key] = tree[_pick(rng, keys)]
        elif isinstance(tree, dict):
            tree[_pick(rng, ['', 'x', '0', '-1', '__class__', '$tuple', _word(key, rng)])] = tree[
                key
            ]
        else:
            tree[:] = tree + [tree[key]] * int(2 ** rng.uniform(0, 8))
        return tree
    if isinstance(tree, str) and rng.random() < 0.3:
        return _word(tree, rng)
    if isinstance(tree, (int, float)) and rng.random() < 0.3:
        return type(tree)(_pick(rng, [tree + 1, -tree, tree * 1000]))
    value = _pick(rng, _TREE)
    return list(value) if isinstance(value, list) else value


def _npy(header: bytes, data: bytes) -> bytes:
    header += b' ' * (-(len(header) + 11) % 64) + b'\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header) % 65536) + header + data


def _with_bomb(members: list[tuple[str, bytes, int]], n: int) -> bytes:
    """A zip whose n-th member, now the last, goes on with 1.25 GiB of zeros in 1 MB."""
    name, data, _ = members.pop(n)
    if data[:6] == b'\x93NUMPY':
        data = re.sub(rb"'shape': \([^)]*\)", b"'shape': (335500000,)", data)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = start + block * 1280 + packer.flush()
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        for member, content, how in members:
            archive.writestr(zipfile.ZipInfo(member), content, how)
        info = zipfile.ZipInfo(name)
        archive.writestr(info, packed)  # stored; its headers are to say that it is deflated
    raw = bytearray(file.getvalue())
    for place, method, sizes in ((info.header_offset, 8, 18), (raw.rindex(b'PK\x01\x02'), 10, 20)):
        struct.pack_into('<H', raw, place + method, zipfile.ZIP_DEFLATED)
        struct.pack_into('<II', raw, place + sizes, len(packed), len(data) + (1280 << 20))
    return bytes(raw)


def _pick(rng: Rng, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]
