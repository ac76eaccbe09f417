"""Reads and writes the scores that models gave to the clips of a test set."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from stars_mm.evaluation.functional.fusion import ClassScores, nearest_scores
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.input_error import InputError, reading
from stars_mm.utils.safe_arrays import load_npz
from stars_mm.utils.safe_pickle import load_pickle

_KEYS = ('names', 'scores', 'labels')


def read_scores(path: str | Path) -> ClassScores:
    """Read the scores of a test set; clips that a distributed sampler repeated count once.

    Args:
        path (str or Path): A ``.pkl`` that ``tools/test.py --dump`` wrote, of a classifier
            (``pred_score``) or of a feature extractor with its bank (``feature``), which scores by
            nearest neighbors; or an ``.npz`` of :func:`write_scores`.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If the file holds something else.
    """
    path = Path(path)
    if not path.is_file():
        how = f'Write it with tools/test.py CONFIG CHECKPOINT --dump {path}.'
        raise FileNotFoundError(f'{path}: there is no such score file. {how}')
    if path.suffix not in ('.npz', '.pkl', '.pickle'):
        raise ValueError(
            f'{path}: a score file is a .pkl that tools/test.py '
            '--dump wrote, or an .npz of fuse_scores.py.'
        )
    with reading(path, 'Write it again.'):
        found = (_read_npz if path.suffix == '.npz' else _read_dump)(path)
        if not all(isinstance(name, str) for name in found.names):
            raise ValueError('names of clips are no text')
        if found.labels.ndim != 1 or found.labels.is_floating_point():
            raise ValueError('labels are no whole numbers')
        return found


def write_scores(path: str | Path, scores: ClassScores) -> None:
    """Write scores as an ``.npz`` with ``names``, ``scores``, ``labels``, whole or not at all."""
    if Path(path).suffix != '.npz':
        raise ValueError(f'{path}: scores are written as .npz.')
    arrays: Any = (np.array(scores.names), scores.scores.numpy(), scores.labels.numpy())
    with written_whole(path) as partial, open(partial, 'wb') as file:
        np.savez_compressed(file, **dict(zip(_KEYS, arrays)))


def _read_dump(path: Path) -> ClassScores:
    samples = load_pickle(str(path), tensors=True)
    if not isinstance(samples, list) or not samples or {*map(type, samples)} != {dict}:
        raise InputError(path, 'holds no list of predictions, as test.py --dump writes it')
    return _from_predictions(samples, path)


def _from_predictions(samples: list[dict], path: Path) -> ClassScores:
    if all('pred_score' in sample for sample in samples):
        samples = _each_once(samples, path)
        scores = _stack(samples, 'pred_score')
    elif all('feature' in sample and 'role' in sample for sample in samples):
        bank, samples = (
            _each_once([sample for sample in samples if sample['role'] == role], path)
            for role in ('bank', 'query')
        )
        feats, query = _stack(bank, 'feature'), _stack(samples, 'feature')
        scores = nearest_scores(feats, _labels(bank, path), query)
    else:
        keys = sorted(map(str, set().union(*samples)))
        need = 'predictions need "pred_score", or "feature" and "role"'
        raise InputError(path, f'{need}; they have {keys}')
    names = [sample['frame_dir'] for sample in samples]
    return ClassScores(names, scores.float(), _labels(samples, path), str(path))


def _read_npz(path: Path) -> ClassScores:
    arrays = load_npz(path)
    missing = [key for key in _KEYS if key not in arrays]
    if missing:
        raise InputError(path, f'lacks the arrays {missing}; a score file holds {list(_KEYS)}')
    scores, labels = (torch.from_numpy(arrays[key]) for key in _KEYS[1:])
    return ClassScores(arrays['names'].tolist(), scores, labels, str(path))


def _each_once(samples: list[dict], path: Path) -> list[dict]:
    """Clips by their index in the data set, padding left out."""
    if not samples:
        problem = 'features need both roles, "bank" and "query", and one of them has none'
        raise InputError(path, problem)
    for key in ('frame_dir', 'sample_idx'):
        if any(key not in sample for sample in samples):
            raise InputError(
                path,
                f'a prediction has no "{key}", by which streams are matched',
                "Put it into the test pipeline's last step, dict(type='PackActionInputs', "
                "meta_keys=('sample_idx', 'frame_dir')), and test again.",
            )
    return [*{(sample['sample_idx'], sample['frame_dir']): sample for sample in samples}.values()]


def _stack(samples: list[dict], key: str) -> torch.Tensor:
    return torch.stack([sample[key] for sample in samples])


def _labels(samples: list[dict], path: Path) -> torch.Tensor:
    if any('gt_label' not in sample for sample in samples):
        raise InputError(path, 'a prediction has no "gt_label"')
    return torch.cat([sample['gt_label'].reshape(1) for sample in samples])
