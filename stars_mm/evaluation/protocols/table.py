"""The one table of an evaluation: as JSON and as Markdown."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import torch
from mmengine.device import get_device

from stars_mm.utils.atomic import written_whole
from stars_mm.version import __version__

PACKAGES = ('mmengine', 'mmaction2', 'numpy', 'scikit-learn')
ROWS = {
    'raw_unturned': 'raw coordinates, not turned',
    'raw': 'raw coordinates',
    'raw_motion': 'raw motion',
}
_MEASURES = {
    'nmi': 'NMI',
    'ari': 'ARI',
    'silhouette': 'silhouette',
    'distance_ratio': 'intra / inter distance',
    'accuracy': 'top-1 (%)',
}


def hardware() -> str:
    """The device that models run on, in words."""
    if get_device() == 'cuda':
        count = torch.cuda.device_count()
        return f'{count} × {torch.cuda.get_device_name()}'
    name = platform.processor() or platform.machine()
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        name = next(
            line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')
        )
    except (OSError, StopIteration):  # not Linux, or another layout
        pass
    return f'CPU: {name}, {torch.get_num_threads()} threads'


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return dict(
        stars_mm=__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        **{name: version(name) for name in PACKAGES},
    )


def write_json(path: Path, content: dict) -> None:
    """Write a file whole or not at all."""
    _write(path, json.dumps(content, indent=2, ensure_ascii=False) + '\n')


def write_markdown(path: Path, results: dict) -> None:
    """Write :func:`markdown` whole or not at all."""
    _write(path, markdown(results))


def markdown(results: dict) -> str:
    """The table of an evaluation.

    Args:
        results (dict): Protocol → its result, and ``meta``.

    Returns:
        str: A line for each measure, with raw coordinates beside the
        checkpoint, then what the numbers rest on.
    """
    meta = results['meta']
    protocols = {name: found for name, found in results.items() if name != 'meta'}
    beside = [*protocols.values(), meta.get('comparison') or {}]
    rows = [row for row in ROWS if any(row in found.get('baselines', {}) for found in beside)]
    lines = [['protocol', 'measure', *(ROWS[row] for row in rows), 'checkpoint', 'seed', 'epoch']]
    for name, found in protocols.items():
        for measure, value in found['scores'].items():
            lines.append(
                [
                    name,
                    measure_title(measure),
                    *(
                        _number(found['baselines'].get(row, {}).get(measure), measure)
                        for row in rows
                    ),
                    _number(value, measure, (found.get('spread') or {}).get(measure)),
                    _shown(found['seed']),
                    _shown(found['epoch']),
                ]
            )
        best = found.get('best_of_test')
        if best:
            lines.append(
                [
                    f'{name}, best epoch on the test set: no result',
                    measure_title('accuracy'),
                    *('–' for _ in rows),
                    f'({_number(best["accuracy"], "accuracy")})',
                    _shown(found['seed']),
                    _shown(best['epoch']),
                ]
            )
    if meta.get('comparison'):
        scores = meta['comparison']['baselines']
        lines.append(
            [
                'knn, for comparison',
                measure_title('top1_k1'),
                *(_number(scores[row]['top1_k1'], 'top1_k1') for row in rows),
                '–',
                '–',
                '–',
            ]
        )
    text = [f'# {meta["checkpoint"]["path"]}', '']
    lines.insert(1, ['---'] * 2 + ['---:'] * (len(lines[0]) - 2))
    text += ['| ' + ' | '.join(line) + ' |' for line in lines]
    text += ['', *_notes(meta, protocols)]
    return '\n'.join(text) + '\n'


def measure_title(measure: str) -> str:
    """A reader's name for a measure."""
    if measure.startswith('top1_k'):
        return f'k = {measure[6:]} (%)'
    kind, _, shots = measure.rpartition('_')
    if shots.endswith('shot'):
        kind = dict(exemplar='nearest exemplar', mean='class mean')[kind]
        return f'{shots[:-4]}-shot, {kind} (%)'
    return _MEASURES.get(measure, measure)


def _notes(meta: dict, protocols: dict) -> list[str]:
    checkpoint = meta['checkpoint']
    said = [
        f'{key} {checkpoint[key]}'
        for key in ('epoch', 'seed', 'source')
        if checkpoint.get(key) is not None
    ]
    notes = [
        f'- checkpoint: {", ".join(said) or "says no epoch"}; SHA-256 '
        f'{checkpoint["sha256"]}; config {meta["config"]}'
    ]
    for name, found in protocols.items():
        spread = f'; ±: {found["spread_of"]}' if 'spread_of' in found else ''
        notes.append(f'- {name}: {found["protocol"]}{spread}; {found["seconds"]:.0f} s')
    notes.append(
        '- The last epoch counts. Raw columns take the clips as the '
        'test pipeline makes them, by the same protocol.'
    )
    stacks: dict[str, list[str]] = {}
    for name, found in protocols.items():
        stack = '; '.join(
            [
                found['hardware'],
                ', '.join(f'{key} {value}' for key, value in found['versions'].items()),
            ]
        )
        stacks.setdefault(stack, []).append(name)
    notes += [f'- {", ".join(names)}: {stack}' for stack, names in stacks.items()]
    return [*notes, '', '```', meta['command'], '```']


def _number(value, measure: str, spread=None) -> str:
    if value is None:
        return '–'
    percent = measure.startswith('top1') or measure.endswith('shot') or measure == 'accuracy'
    form = '{:.1f}' if percent else '{:.3f}'
    text = form.format(value).replace('-', '−')
    return text if spread is None else f'{text} ± {form.format(spread)}'


def _shown(value) -> str:
    return '–' if value is None else str(value)


def _write(path: Path, text: str) -> None:
    with written_whole(path) as partial:
        partial.write_text(text, encoding='utf-8')
