"""Names, splits and missing skeletons of NTU RGB+D, and what is made of its recordings."""

import numpy as np
import pytest

from stars_mm.preparation.readers.ntu_names import (
    DATASETS,
    XSUB_TRAIN,
    class_names,
    missing_skeletons,
    parse_name,
    splits_of,
)

NAMES = (
    'S001C001P001R001A001',
    'S001C001P001R001A002',
    'S001C001P003R001A001',
    'S001C002P001R001A001',
    'S002C003P003R002A060',
)
MISSING, LATER = 'S001C002P005R002A008', 'S018C001P041R001A061'


def make_folder(folder, ntu, names=NAMES):
    (folder / 'nturgb+d_skeletons').mkdir(parents=True)
    for number, name in enumerate(names):
        frames = ntu.track(number + 2, _7=(0, ntu.person(number + 2, number)))
        path = folder / f'nturgb+d_skeletons/{name}.skeleton'
        path.write_text(ntu.recording(frames))
    return folder


def test_the_published_counts():
    missing = missing_skeletons()
    of_60 = [name for name in missing if parse_name(name).setup <= 17]
    # 56 880 and 114 480 recordings were made, as its page says.
    assert (len(of_60), DATASETS[60].clips) == (302, 56880 - 302)
    assert (len(missing), DATASETS[120].clips) == (535, 114480 - 535)
    assert (len(XSUB_TRAIN), len([s for s in XSUB_TRAIN if s <= 40])) == (53, 20)
    names = class_names(120)
    assert len(set(names)) == 120 and class_names(60) == names[:60]
    some = 'falling down; walking apart; put on headphone; rock-paper-scissors'.split('; ')
    assert [names[n - 1] for n in (43, 60, 61, 120)] == some


@pytest.mark.parametrize(
    'dataset, name, splits',
    [
        (60, 'S001C001P001R001A001', ['xsub_train', 'xview_val']),
        (60, 'S002C002P003R001A060', ['xsub_val', 'xview_train']),
        (60, 'S002C003P038R002A060', ['xsub_train', 'xview_train']),
        (120, 'S001C001P001R001A060', ['xsub_train', 'xset_val']),
        (120, 'S032C001P103R001A061', ['xsub_train', 'xset_train', 'novel_train']),
        (120, 'S019C001P106R001A120', ['xsub_val', 'xset_val', 'novel_val']),
    ],
)
def test_splits(dataset, name, splits):
    assert splits_of(parse_name(name), DATASETS[dataset]) == splits


@pytest.mark.parametrize(
    'name, message',
    [
        ('S001C001P041R001A001', "subject 'P041' is not in NTU-60.*P001 to P040"),
        ('S001C000P001R001A001', "camera 'C000'"),
        ('S001C001P001R001A061', "action 'A061'.*A001 to A060"),
        ('S001C001P001R001A061x', 'is not named Ssss'),
    ],
)
def test_other_names_are_refused(convert_with, ntu, tmp_path, name, message):
    src = make_folder(tmp_path / 'src', ntu, [name])
    with pytest.raises(ValueError, match=rf'{name}\.skeleton: {message}'):
        convert_with('ntu60', src)


def test_convert(convert_with, ntu, tmp_path):
    found = convert_with('ntu60', make_folder(tmp_path / 'src', ntu, (*NAMES, MISSING, LATER)))
    assert list(found.clips) == list(NAMES)
    assert found.splits == dict(
        xsub_train=[NAMES[0], NAMES[1], NAMES[3]],
        xsub_val=[NAMES[2], NAMES[4]],
        xview_train=[NAMES[3], NAMES[4]],
        xview_val=[NAMES[0], NAMES[1], NAMES[2]],
    )
    assert [clip['label'] for clip in found.clips.values()] == [0, 1, 0, 0, 59]
    for number, clip in enumerate(found.clips.values()):
        np.testing.assert_array_equal(clip['keypoint'], ntu.person(number + 2, number)[None])
    assert (found.layout, found.provenance['dataset']) == ('ntu-25', 'NTU RGB+D 60')
    later = 'of NTU-120 alone (set-up S018 and later)'
    assert found.report.dropped == {MISSING: 'on the list of missing skeletons', LATER: later}


def test_what_denoising_did_is_said(convert_with, ntu, tmp_path):
    src = make_folder(tmp_path / 'src', ntu)
    frames = ntu.track(40, _1=(0, ntu.person(40, 1)), _2=(3, ntu.person(5, 2)))
    path = src / f'nturgb+d_skeletons/{NAMES[0]}.skeleton'
    path.write_text(ntu.recording([*frames, {}, {}]))
    assert convert_with('ntu60', src).report.notes == {
        'frames without a body removed': {NAMES[0]: 2},
        'bodies dropped, 11 frames long or less': {NAMES[0]: 1},
    }
