"""NTU RGB+D recordings against the arrays of the reference preparation."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mmaction.datasets.transforms import FormatGCNInput

from stars_mm.datasets.transforms import CenterSkeleton
from stars_mm.preparation.readers.ntu_names import parse_name

#: Split of the reference, split of ours, and what its rows are ordered by.
PROTOCOLS = [
    (60, 'XSub', 'xsub', 'subject'),
    (60, 'XView', 'xview', 'camera'),
    (120, 'XSub', 'xsub', 'subject'),
    (120, 'XSet', 'xset', 'setup'),
]
#: What the reference does where there is one actor.
ONE_ACTOR = {60: 'zero', 120: 'loop'}


def rows(clips, names, order, mode):
    """Clips as the reference has them: sorted, centred, (T, 150)."""
    names = sorted(names, key=lambda name: (getattr(parse_name(name), order), name))
    for name in names:
        clip = CenterSkeleton()(dict(clips[name]))
        clip = FormatGCNInput(num_person=2, mode=mode)(clip)
        flat = np.moveaxis(clip['keypoint'][0], 0, 1).reshape(-1, 150)  # (T, 2 * 25 * 3)
        yield clips[name]['label'], flat


def check(convert_with, archive, dataset, reference, ours, order):
    found = convert_with(f'ntu{dataset}', archive)
    with zipfile.ZipFile(archive) as opened:
        cases = json.loads(opened.read('cases.json'))
        expected = np.load(io.BytesIO(opened.read(f'expected/NTU{dataset}_{reference}.npz')))
    assert set(found.clips) == set(cases)
    for part, split in (('train', f'{ours}_train'), ('test', f'{ours}_val')):
        clips = list(rows(found.clips, found.splits[split], order, ONE_ACTOR[dataset]))
        assert len(clips) == len(expected[f'x_{part}']) > 0
        for (label, x), x_ref, y_ref in zip(clips, expected[f'x_{part}'], expected[f'y_{part}']):
            assert label == y_ref.argmax() and x.dtype == np.float32
            np.testing.assert_array_equal(x, x_ref[: len(x)])
            assert not x_ref[len(x) :].any()


@pytest.mark.parametrize('dataset, reference, ours, order', PROTOCOLS)
def test_a_recording_of_each_fault(convert_with, data_dir, dataset, reference, ours, order):
    check(convert_with, data_dir / f'ntu{dataset}_raw.zip', dataset, reference, ours, order)


@pytest.mark.parametrize('dataset, reference, ours, order', PROTOCOLS)
def test_all_golden_recordings(convert_with, shared_dir, dataset, reference, ours, order):
    archive = Path(shared_dir, 'parity', f'ntu{dataset}_raw.zip')
    check(convert_with, archive, dataset, reference, ours, order)
