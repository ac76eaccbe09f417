"""NTU RGB+D recordings against the arrays of the reference preparation."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mmaction.datasets.transforms import FormatGCNInput

from stars_mm.datasets import load_annotations
from stars_mm.datasets.transforms import CenterSkeleton
from stars_mm.preparation.readers.ntu import convert
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


def rows(annotations, names, order, mode):
    """Clips as the reference has them: sorted, centred, (T, 150)."""
    clips = {clip['frame_dir']: clip for clip in annotations}
    names = sorted(names, key=lambda name: (getattr(parse_name(name), order), name))
    for name in names:
        clip = CenterSkeleton()(dict(clips[name]))
        clip = FormatGCNInput(num_person=2, mode=mode)(clip)
        yield (
            clips[name]['label'],
            np.moveaxis(clip['keypoint'][0], 0, 1).reshape(-1, 150),
        )  # (T, 2 * 25 * 3)


def check(archive, dst, dataset, reference, ours, order):
    convert(str(archive), str(dst), dataset)
    annotations, splits = load_annotations(str(dst))
    with zipfile.ZipFile(archive) as opened:
        cases = json.loads(opened.read('cases.json'))
        expected = np.load(io.BytesIO(opened.read(f'expected/NTU{dataset}_{reference}.npz')))
    assert {clip['frame_dir'] for clip in annotations} == set(cases)
    for part, split in (('train', f'{ours}_train'), ('test', f'{ours}_val')):
        found = list(rows(annotations, splits[split], order, ONE_ACTOR[dataset]))
        assert len(found) == len(expected[f'x_{part}']) > 0
        for (label, x), x_ref, y_ref in zip(found, expected[f'x_{part}'], expected[f'y_{part}']):
            assert label == y_ref.argmax()
            np.testing.assert_array_equal(x, x_ref[: len(x)])
            assert not x_ref[len(x) :].any()


@pytest.mark.parametrize('dataset, reference, ours, order', PROTOCOLS)
def test_a_recording_of_each_fault(data_dir, tmp_path, dataset, reference, ours, order):
    check(data_dir / f'ntu{dataset}_raw.zip', tmp_path / 'a.pkl', dataset, reference, ours, order)


@pytest.mark.parametrize('dataset, reference, ours, order', PROTOCOLS)
def test_all_golden_recordings(shared_dir, tmp_path, dataset, reference, ours, order):
    archive = Path(shared_dir, 'parity', f'ntu{dataset}_raw.zip')
    check(archive, tmp_path / 'a.pkl', dataset, reference, ours, order)
