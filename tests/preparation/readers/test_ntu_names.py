"""Names, splits and missing skeletons of NTU RGB+D."""

import pytest

from stars_mm.preparation.readers.ntu_names import (
    DATASETS,
    XSUB_TRAIN,
    check_name,
    missing_skeletons,
    parse_name,
    splits_of,
)


def test_the_published_counts():
    missing = missing_skeletons()
    assert len(missing) == 535
    of_60 = [name for name in missing if parse_name(name).setup <= 17]
    assert len(of_60) == 302
    # 56 880 and 114 480 recordings were made, as its page says.
    assert DATASETS[60].clips == 56880 - 302
    assert DATASETS[120].clips == 114480 - 535
    assert len(XSUB_TRAIN) == len(set(XSUB_TRAIN)) == 53
    assert len([s for s in XSUB_TRAIN if s <= 40]) == 20


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
    name = parse_name(name)
    check_name(name, DATASETS[dataset])
    assert splits_of(name, DATASETS[dataset]) == splits


@pytest.mark.parametrize(
    'dataset, name, message',
    [
        (60, 'S018C001P001R001A001', "set-up 'S018' is not in NTU-60"),
        (60, 'S001C001P041R001A001', "subject 'P041' is not in NTU-60.*to P040"),
        (120, 'S001C001P107R001A001', "subject 'P107' is not in NTU-120.*P106"),
        (120, 'S001C001P000R001A001', "subject 'P000'"),
        (120, 'S001C004P001R001A001', "camera 'C004'"),
        (60, 'S001C001P001R001A061', "action 'A061'.*A001 to A060"),
        (60, 's001C001P001R001A061', 'is not named Ssss'),
        (60, 'S001C001P001R001A061x', 'is not named Ssss'),
    ],
)
def test_other_names_are_refused(dataset, name, message):
    with pytest.raises(ValueError, match=message):
        check_name(parse_name(name), DATASETS[dataset])
