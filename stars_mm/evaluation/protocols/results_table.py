"""What rows and measures are called, and the page of an evaluation in Markdown."""

from stars_mm.utils.markdown import markdown_table

ROW_TITLES = {
    'raw_unturned': 'raw coordinates, not turned',
    'raw': 'raw coordinates',
    'raw_motion': 'raw motion',
    'random': 'random encoder',
    'mamp': 'MAMP (stage 1)',
    'stars': 'STARS (stage 2)',
    'moco': 'MoCo (stage 2)',
    'dino': 'DINO (stage 2)',
}
_MEASURES = {
    'nmi': 'NMI',
    'ari': 'ARI',
    'silhouette': 'silhouette',
    'distance_ratio': 'intra / inter distance',
    'accuracy': 'top-1 (%)',
}
_NONE = '–'


def row_title(row: str) -> str:
    """A reader's name for a row of results."""
    return ROW_TITLES.get(row, f'stage "{row}"')


def measure_title(measure: str) -> str:
    """A reader's name for a measure."""
    if measure.startswith('top1_k'):
        return f'k = {measure[6:]} (%)'
    kind, _, shots = measure.rpartition('_')
    if shots.endswith('shot'):
        kind = dict(exemplar='nearest exemplar', mean='class mean')[kind]
        return f'{shots[:-4]}-shot, {kind} (%)'
    return _MEASURES.get(measure, measure)


def format_measure(value: float | None, measure: str, spread: float | None = None) -> str:
    """A value, percentages with one digit and others with three."""
    if value is None:
        return _NONE
    percent = measure.startswith(('top1', 'knn')) or measure.endswith(('shot', 'accuracy'))
    form = '{:.1f}' if percent else '{:.3f}'
    text = form.format(value).replace('-', '−')
    return text if spread is None else f'{text} ± {form.format(spread)}'


def results_page(results: dict) -> str:
    """The table of an evaluation, protocol → its result and ``meta``, and what its numbers rest on,
    in Markdown: a line for each measure, with raw coordinates beside the checkpoint, and notes."""
    meta = results['meta']
    protocols = {name: found for name, found in results.items() if name != 'meta'}
    compared = (meta.get('comparison') or {}).get('baselines')
    found_rows = [found['baselines'] for found in protocols.values()] + [compared or {}]
    raw = [row for row in ROW_TITLES if any(row in found for found in found_rows)]
    lines = [
        ['protocol', 'measure', *map(row_title, raw), 'checkpoint', 'seed', 'epoch'],
        *(line for name, found in protocols.items() for line in _lines(name, found, raw)),
    ]
    if compared:
        cells = [format_measure(compared[row]['top1_k1'], 'top1_k1') for row in raw]
        lines.append(['knn, for comparison', measure_title('top1_k1'), *cells, *3 * [_NONE]])
    parts = [
        f'# {meta["checkpoint"]["path"]}',
        markdown_table(lines, text_columns=2),
        '\n'.join(_notes(meta, protocols)),
        f'```\n{meta["command"]}\n```\n',
    ]
    return '\n\n'.join(parts)


def _lines(name: str, found: dict, raw: list[str]) -> list[list[str]]:
    """A line for each measure of a protocol."""
    seed, epoch, best = (found.get(key) for key in ('seed', 'epoch', 'best_of_test'))
    lines = [
        [
            name,
            measure_title(measure),
            *(format_measure(found['baselines'].get(row, {}).get(measure), measure) for row in raw),
            format_measure(value, measure, found.get('spread', {}).get(measure)),
            _shown(seed),
            _shown(epoch),
        ]
        for measure, value in found['scores'].items()
    ]
    if best:
        name, value = f'{name}, best epoch on the test set: no result', best['accuracy']
        cells = [*len(raw) * [_NONE], f'({format_measure(value, "accuracy")})', _shown(seed)]
        lines.append([name, measure_title('accuracy'), *cells, _shown(best['epoch'])])
    return lines


def _notes(meta: dict, protocols: dict) -> list[str]:
    checkpoint = meta['checkpoint']
    keys = [key for key in ('epoch', 'seed', 'source') if checkpoint.get(key) is not None]
    said = ', '.join(f'{key} {checkpoint[key]}' for key in keys) or 'says no epoch'
    notes = [f'- checkpoint: {said}; SHA-256 {checkpoint["sha256"]}; config {meta["config"]}']
    computed_by: dict[str, list[str]] = {}
    for name, found in protocols.items():
        spread = f'; ±: {found["spread_of"]}' if 'spread_of' in found else ''
        notes.append(f'- {name}: {found["protocol"]}{spread}; {found["seconds"]:.0f} s')
        versions = ', '.join(f'{key} {value}' for key, value in found['versions'].items())
        computed_by.setdefault(f'{found["hardware"]}; {versions}', []).append(name)
    notes.append(
        '- The last epoch counts. Raw columns take the clips as the '
        'test pipeline makes them, by the same protocol.'
    )
    return notes + [f'- {", ".join(names)}: {what}' for what, names in computed_by.items()]


def _shown(value: object) -> str:
    return _NONE if value is None else str(value)
