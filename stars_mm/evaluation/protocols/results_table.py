"""What rows and measures are called, and the page of an evaluation in Markdown."""

from stars_mm.evaluation.functional.class_results import frequent_confusions, worst_classes
from stars_mm.preparation.inspection import plain
from stars_mm.utils.markdown import markdown_table

ROW_TITLES = {
    'raw_unturned': 'raw coordinates, not turned',
    'raw': 'raw coordinates',
    'raw_motion': 'raw motion',
    'raw_best_of_turns': 'raw coordinates, best of five turns',
    'raw_half_whitened': 'raw coordinates, half-whitened',
    'geometry': 'geometry (positions, distances)',
    'geometry_pulled': 'geometry, pulled',
    'random': 'random encoder',
    'mamp': 'MAMP (stage 1)',
    'stars': 'STARS (stage 2)',
    'moco': 'MoCo (stage 2)',
    'dino': 'DINO (stage 2)',
}
#: Spaces in which the features of an encoder are compared, after its name.
SPACE_TITLES = {
    'published': 'published feature',
    'joints': 'a vector a joint, half-whitened',
    'combined': 'with geometry',
    'combined_pulled': 'with geometry, pulled',
}
_IN_EACH_TABLE = ('raw_unturned', 'raw', 'raw_motion', 'geometry')  # of all measures
# of the table of features; the JSON has all
_HEADLINES = ('top1_k1', 'nmi', 'silhouette', 'exemplar', 'accuracy')
_MEASURES = {
    'knn_top1': 'k = 1 (%)',
    'accuracy_10pct': 'top-1, 10 % of the labels (%)',
    'nmi': 'NMI',
    'ari': 'ARI',
    'silhouette': 'silhouette',
    'distance_ratio': 'intra / inter distance',
    'accuracy': 'top-1 (%)',
}
_NONE = '–'


def row_title(row: str) -> str:
    """A reader's name for a row of results."""
    for space, title in SPACE_TITLES.items():
        if row.endswith(f'_{space}') and row not in ROW_TITLES:
            return f'{row_title(row.removesuffix(f"_{space}"))}, {title}'
    if row in ROW_TITLES:
        return ROW_TITLES[row]
    method, _, stage = row.partition('_')  # an earlier stage of the same method
    title = ROW_TITLES.get(method, method).split(' (')[0]
    return f'{title}, stage "{stage}"' if stage else f'stage "{row}"'


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
    percent = measure.startswith(('top1', 'knn')) or measure.endswith(('shot', 'accuracy', 'pct'))
    form = '{:.1f}' if percent else '{:.3f}'
    text = form.format(value).replace('-', '−')
    return text if spread is None else f'{text} ± {form.format(spread)}'


def results_page(results: dict) -> str:
    """The table of an evaluation, protocol → its result and ``meta``, and what its numbers rest on,
    in Markdown: a line for each measure, with raw coordinates and geometry beside the checkpoint; a
    line for each feature with and without learning; where what was learned loses; and notes."""
    meta = results['meta']
    protocols = {name: found for name, found in results.items() if name != 'meta'}
    compared = (meta.get('comparison') or {}).get('baselines')
    found_rows = [found['baselines'] for found in protocols.values()] + [compared or {}]
    raw = [row for row in _IN_EACH_TABLE if any(row in found for found in found_rows)]
    lines = [
        ['protocol', 'measure', *map(row_title, raw), 'checkpoint', 'seed', 'epoch'],
        *(line for name, found in protocols.items() for line in _lines(name, found, raw)),
    ]
    if compared:
        cells = [format_measure(compared.get(row, {}).get('top1_k1'), 'top1_k1') for row in raw]
        lines.append(['knn, for comparison', measure_title('top1_k1'), *cells, *3 * [_NONE]])
    parts = [
        f'# {meta["checkpoint"]["path"]}',
        markdown_table(lines, text_columns=2),
        *_features(protocols),
        *_classes(protocols),
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


def _features(protocols: dict) -> list[str]:
    """The table of all features, with and without learning, and what the learned ones lose to."""
    compared = {name: found for name, found in protocols.items() if 'spaces' in found}
    if not compared:
        return []
    columns = [
        (name, measure)
        for name, found in compared.items()
        for measure in found['scores']
        if measure.startswith(_HEADLINES) and measure != 'top1_k10'
    ]
    lines = [['features', *(f'{name}, {measure_title(measure)}' for name, measure in columns)]]
    for row in ROW_TITLES:
        scores = {name: found['baselines'].get(row, {}) for name, found in compared.items()}
        if any(scores.values()):
            cells = [format_measure(scores[name].get(m), m) for name, m in columns]
            lines.append([row_title(row), *cells])
    for encoder, title in (('random', 'random weights'), ('checkpoint', 'checkpoint')):
        for space, how in SPACE_TITLES.items():
            cells = []
            for name, measure in columns:
                found = compared[name]['spaces'][encoder][space]
                spread = found.get('spread', {}).get(measure)
                cells.append(format_measure(found['scores'].get(measure), measure, spread))
            lines.append([f'{title}: {how}', *cells])
    lost = [f'- {name}: {text}' for name, found in compared.items() for text in found['lost_to']]
    return [markdown_table(lines), *(['\n'.join(lost)] if lost else [])]


def _classes(protocols: dict) -> list[str]:
    """The table of the classes that each protocol recognizes worst, and what is taken for what."""
    lines, confused = [['protocol', 'worst classes', 'top-1 (%)', 'clips']], []
    for name, found in protocols.items():
        results = found.get('by_class')
        if not results:
            continue
        for row in worst_classes(results):
            accuracy = format_measure(row['accuracy'], 'accuracy')
            lines.append([name, _cell(row['name']), accuracy, str(row['clips'])])
        pairs = [f'{_cell(a)} → {_cell(b)} ({n})' for a, b, n in frequent_confusions(results)]
        if pairs:
            confused.append(f'- {name}, most often taken for another: {", ".join(pairs)}')
    return [markdown_table(lines, text_columns=2), '\n'.join(confused)] if confused else []


def _cell(name: str) -> str:
    """A name of a file's class, so that it stays in its cell."""
    return plain(name, width=60).replace('|', '/')


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
        '- The last epoch counts. Rows without learning take the clips as the test pipeline makes '
        'them, by the same protocol. Half-whitened: principal components of the bank over √σ. '
        'Pulled: to mutual neighbors in the bank. Neither sees a label.'
    )
    return notes + [f'- {", ".join(names)}: {what}' for what, names in computed_by.items()]


def _shown(value: object) -> str:
    return _NONE if value is None else str(value)
