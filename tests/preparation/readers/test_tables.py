"""Clips of a file each against arrays that were written down."""

import io
import json
import tracemalloc

import numpy as np
import pytest

from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.readers.tables import TableOptions, parse_csv, parse_json, parse_npy

STICK = get_layout(
    dict(name='stick', joints=['hip', 'left_hand', 'right_hand'], parents=[None, 0, 0], center=0)
)
PIXELS = get_layout(dict(STICK.to_dict(), unit='px'))
OPTIONS = TableOptions(STICK)
XY = [f'{joint}_{axis}' for joint in STICK.joints for axis in 'xy']
ROW = list(range(6))


def clip(channels, frames=4):
    shape = (frames, 3, channels)
    return np.random.default_rng(0).normal(0, 9, shape).round(3)


def csv_text(rows, header=None, comma=','):
    lines = [comma.join(map(str, row)) for row in ([header] if header else []) + list(rows)]
    return '\n'.join(lines).encode()


@pytest.mark.parametrize(
    'comma, layout, channels, coordinates, scored',
    [
        (',', STICK, 2, 2, False),
        (';', STICK, 3, 3, False),
        ('\t', STICK, 4, 3, True),
        (',', PIXELS, 3, 2, True),
    ],
)
def test_columns_in_order(comma, layout, channels, coordinates, scored):
    values = clip(channels)
    path = csv_text(values.reshape(4, -1), comma=comma)
    keypoints, scores, _ = parse_csv(path, TableOptions(layout))
    np.testing.assert_array_equal(keypoints, values[..., :coordinates])
    assert (scores is not None) == scored
    if scored:
        np.testing.assert_array_equal(scores, values[..., -1])


def test_channels_decide():
    path = csv_text(clip(3).reshape(4, -1))
    for layout in (STICK, PIXELS):
        keypoints, scores, _ = parse_csv(path, TableOptions(layout, 'xyz'))
        assert scores is None and keypoints.shape == (4, 3, 3)
        scores = parse_csv(path, TableOptions(layout, 'xyc')).scores
        np.testing.assert_array_equal(scores, clip(3)[..., 2])
    with pytest.raises(ValueError, match='3 numbers a joint; channels=xy '):
        parse_csv(path, TableOptions(STICK, 'xy'))


def test_named_columns_in_any_order():
    header = (
        'time right_hand_score Right-Hand.X rightHand_y hip_y hip_x left_hand_x left_hand_y '
        'left_hand_likelihood hip_c'
    ).split()
    rows = [[0.1, 0.5, 1, 2, 3, 4, 5, 6, 0.7, 0.8], [0.2, 0.6, 7, 8, 9, 10, 11, '', 0.9, 1]]
    keypoints, scores, _ = parse_csv(csv_text(rows, header), OPTIONS)
    np.testing.assert_array_equal(
        keypoints, [[[[4, 3], [5, 6], [1, 2]], [[10, 9], [11, np.nan], [7, 8]]]]
    )
    np.testing.assert_array_equal(scores, [[[0.8, 0.7, 0.5], [1, 0.9, 0.6]]])


def test_persons_of_a_csv():
    header = ['person', 'frame', *XY]
    rows = [['b', 7, *range(1, 7)], ['a', 7, *range(11, 17)], ['a', 5, *range(21, 27)]]
    keypoints, scores, _ = parse_csv(csv_text(rows, header), OPTIONS)
    assert scores is None and keypoints.shape == (2, 2, 3, 2)
    assert not keypoints[0, 0].any()  # b is not in frame 5
    np.testing.assert_array_equal(keypoints[0, 1].ravel(), range(1, 7))
    np.testing.assert_array_equal(keypoints[1, 0].ravel(), range(21, 27))
    np.testing.assert_array_equal(keypoints[1, 1].ravel(), range(11, 17))


@pytest.mark.parametrize(
    'header, rows, message',
    [
        (None, [ROW, ROW[:-1]], 'line 2 has 5 columns, the first one 6.*cut off'),
        (XY, [ROW, [0, 1, 2, '3m', 4, 5]], "line 3, column left_hand_y: '3m' is no number"),
        (None, [[*ROW, 6]], 'has 7 columns, no multiple of the 3 joints'),
        (XY[:-1], [ROW[:-1]], 'lacks 1 columns, such as right_hand_y'),
        (['head_x', *XY[1:]], [ROW], "'head_x' names no joint of layout 'stick'"),
        ([*XY[:-1], 'hip_x'], [ROW], "columns 'hip_x' and 'hip_x' are the same"),
        (list('abcdef'), [ROW], 'its header names no joints'),
        (['frame', *XY], [[2, *ROW], [2, *ROW]], 'line 3: frame 2 comes after'),
        (['person', *XY], [[1, *ROW]], "a column 'person' and none 'frame'"),
        (['person', 'frame', *XY], [['p', 1, *ROW]] * 2, 'line 3: person p is in frame 1 twice'),
    ],
)
def test_bad_csv(header, rows, message):
    with pytest.raises(ValueError, match=message):
        parse_csv(csv_text(rows, header), OPTIONS)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize('shape', [(4, 3, 3), (2, 4, 3, 3), (4, 9)])
def test_npy_and_json(shape):
    values = np.random.default_rng(0).normal(0, 1, shape)
    expected = values.reshape(4, 3, 3) if shape == (4, 9) else values
    bare, keyed = values.tolist(), dict(fps=30, keypoints=values.tolist())
    for parse, content in (
        (parse_npy, npy(values)),
        (parse_json, json.dumps(bare).encode()),
        (parse_json, json.dumps(keyed).encode()),
    ):
        keypoints, scores, _ = parse(content, OPTIONS)
        np.testing.assert_array_equal(keypoints, expected)
        assert scores is None
        keypoints, scores, _ = parse(content, TableOptions(STICK, 'xyc'))
        np.testing.assert_array_equal(keypoints, expected[..., :2])
        np.testing.assert_array_equal(scores, expected[..., 2])
    keypoints = parse_json(b'[[[1, 2], [null, null], [5, 6]]]', OPTIONS).keypoints
    np.testing.assert_array_equal(keypoints, [[[1, 2], [np.nan, np.nan], [5, 6]]])


@pytest.mark.parametrize(
    'parse, content, message',
    [
        (parse_csv, b'1,2\n\xff\xfe', 'no text file'),
        (parse_json, b'[[[1, 2], [3', 'no readable JSON'),
        (parse_json, b'[[[1, 2], [3, 4], [5, 6, 7]]]', r's\[0\]\[2\] has shape .* \(2,\)'),
        (parse_json, b'[[[1, 2], [3, 4], [5, "6"]]]', r"keypoints\[0\]\[2\]\[1\] is '6', no"),
        (parse_json, b'[[[1, 2], [3, 4]]]', r'has shape \(1, 2, 2\); .* V=3 joints'),
        (parse_json, b'{"poses": []}', r"has no 'keypoints'.*\['poses'\]"),
        (parse_npy, npy(np.array([dict(a=1)])), 'dtype object'),
        (parse_npy, npy(np.array([['a'] * 3] * 3)), 'holds <U1, no numbers'),
    ],
)
def test_bad_content(parse, content, message):
    with pytest.raises(ValueError, match=message):
        parse(content, OPTIONS)


@pytest.mark.parametrize(
    'frames, lacking',
    [
        ([3, 4, 5], 0),
        ([0, 2, 4, 6, 12], 2),  # every second frame
        ([1, 2, 5, 6, 7, 9], 3),
        ([0.0, 0.033, 0.067, 0.1, 0.2], 2),  # seconds
        ([7], 0),
    ],
)
def test_frames_that_lack(frames, lacking):
    clip = parse_csv(csv_text([[n, *ROW] for n in frames], ['frame', *XY]), OPTIONS)
    assert sum(clip.notes.values()) == lacking
    assert clip.keypoints.shape[1] == len(frames)


def test_a_person_who_is_away():
    rows = [['a', n, *ROW] for n in range(6)] + [['b', n, *ROW] for n in (1, 2, 4)]
    clip = parse_csv(csv_text(rows, ['person', 'frame', *XY]), OPTIONS)
    assert sum(clip.notes.values()) == 1  # b in frame 3


def test_a_long_name_of_a_person_takes_no_memory():
    """As an array of text every name had as many bytes as the longest: 250 MB of 200 KB here."""
    rows = [['p' * 60_000, 0, *ROW], *(['q', n, *ROW] for n in range(1000))]
    content = csv_text(rows, ['person', 'frame', *XY])
    tracemalloc.start()
    assert parse_csv(content, OPTIONS).keypoints.shape[:2] == (2, 1000)
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


def test_persons_who_are_seen_once_take_no_memory():
    """As many frames as persons; 20,000 of them would be 100 GiB."""
    rows = [[n, n, *ROW] for n in range(3000)]
    with pytest.raises(ValueError, match='3000 persons in 3000 frames would take'):
        parse_csv(csv_text(rows, ['person', 'frame', *XY]), OPTIONS)
    crowd = [dict(keypoints=[[1, 2]] * 3, keypoint_scores=[1] * 3)] * 1500
    frames = [dict(instances=crowd)] + [dict(instances=crowd[:1])] * 1500
    with pytest.raises(ValueError, match='1500 persons in 1501 frames would take'):
        parse_json(json.dumps(dict(instance_info=frames)).encode(), OPTIONS)
