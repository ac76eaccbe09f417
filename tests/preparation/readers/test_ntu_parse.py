"""Reading ``.skeleton`` files, whole and damaged."""

import numpy as np
import pytest

from stars_mm.preparation.readers.ntu_parse import parse_recording


def text(ntu, num_frames=2):
    return ntu.recording(ntu.track(num_frames, a1=(0, ntu.person(num_frames, 1)))).replace(
        'a1', '72057594037939240'
    )


def test_a_recording(ntu):
    one, other = ntu.person(4, 1), ntu.person(2, 2)
    frames = ntu.track(5, _7=(0, one), _8=(1, other))
    frames.insert(1, {})  # bodies lost, then found again
    found = parse_recording(ntu.recording(frames).encode())
    assert (found.num_frames, found.num_empty) == (4, 2)
    assert [(body.start, body.end) for body in found.bodies] == [(0, 3), (1, 2)]
    np.testing.assert_array_equal(found.bodies[0].joints, one)
    np.testing.assert_array_equal(found.bodies[1].joints, other)
    assert found.bodies[0].joints.dtype == np.float32


def test_a_body_that_comes_back_closes_up(ntu):
    gone = ntu.person(4, 1)
    frames = ntu.track(6, _7=(0, gone[:2]), _8=(0, ntu.person(6, 2)))
    frames[4]['7'], frames[5]['7'] = gone[2:]
    body = parse_recording(ntu.recording(frames).encode()).bodies[0]
    assert (body.start, body.end) == (0, 3)
    np.testing.assert_array_equal(body.joints, gone)


@pytest.mark.parametrize('value', ['nan', '-1.#IND'])
def test_nan_beside_the_coordinates_is_no_matter(ntu, value):
    whole = text(ntu)
    found, expected = (
        parse_recording(one.encode()).bodies[0].joints
        for one in (whole.replace('243.4', value), whole)
    )
    np.testing.assert_array_equal(found, expected)


def change(number, new, values=None):
    """Changes a line, counted from 1, or the first values in it."""

    def changed(whole):
        lines = whole.splitlines()
        rest = lines[number - 1].split()[values:] if values else []
        lines[number - 1] = ' '.join([new, *rest])
        return '\n'.join(lines)

    return changed


def first_lines(count):
    return lambda whole: '\n'.join(whole.splitlines()[:count])


# A recording of two frames: line 1 counts them; lines 2 to 29 and 30 to 57 are
# a frame: count of bodies, body, count of joints, 25 joints.
@pytest.mark.parametrize(
    'damage, message',
    [
        (lambda whole: '', 'line 1: the file ends where the number of frames'),
        (first_lines(40), 'line 41: the file ends where body 1 of 1 in frame 2 of 2'),
        (first_lines(29), 'line 30: the file ends where frame 2 of 2 should follow; it is cut'),
        (lambda whole: whole[:-40], r'line 57: has \d+ values where 12 belong to a'),
        (change(1, '1'), 'line 30: goes on after the 1 frames'),
        (change(1, 'two'), "line 1: has 'two' where the number"),
        (change(2, '2'), 'line 30: has 1 values where 10 belong'),
        (change(4, '24'), 'line 4: says 24 joints; .* has 25'),
        (change(9, '0.1 abc', 2), "line 9: has 'abc' where a number"),
        (change(9, 'nan', 1), "line 9: has the coordinate 'nan'"),
        (change(9, '0 -1.#IND', 2), "line 9: has the coordinate '-1.#IND'"),
        (change(9, '1e39', 1), "line 9: has the coordinate '1e39'"),
        (lambda whole: '2\n0\n0\n', 'line 1: none of its 2 frames has a body'),
        (lambda whole: '1\n\xe9\n', 'line 2: is no text'),
    ],
)
def test_damage_is_named(ntu, damage, message):
    with pytest.raises(ValueError, match=f'^{message}'):
        parse_recording(damage(text(ntu)).encode())


def test_bodies_that_are_none_are_named(ntu):
    twice = ntu.recording(ntu.track(2, _7=(0, ntu.person(2)), _8=(0, ntu.person(2))))
    with pytest.raises(ValueError, match='line 30: has the body 7 a second'):
        parse_recording(twice.replace('\n8 ', '\n7 ').encode())
    zero = ntu.recording(ntu.track(2, _7=(0, np.zeros((2, 25, 3)))))
    with pytest.raises(ValueError, match='all coordinates .* are zero'):
        parse_recording(zero.encode())
