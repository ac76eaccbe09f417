"""Lines of JSON in all the forms that pose estimators write."""

import io
import json

import numpy as np
import pytest

from stars_mm.apis.frame_lines import LONGEST_LINE, parse_frame, read_lines

BODY = [[1.0, 2, 3], [4, 5, 6]]


def test_one_person_several_and_nobody():
    one = parse_frame(json.dumps(dict(keypoints=BODY, time=2)), 2)
    assert one.keypoints.tolist() == [BODY] and one.time == 2 and one.scores is None
    two = parse_frame(json.dumps(dict(keypoints=[BODY, BODY], keypoint_scores=[[1, 0]] * 2)), 2)
    assert two.keypoints.shape == (2, 2, 3) and two.scores.tolist() == [[1, 0]] * 2
    for nobody in ('{"keypoints": null}', '{"keypoints": []}', '{"instances": []}'):
        assert parse_frame(nobody, 2).keypoints is None


def test_missing_joints_are_null_or_nan():
    found = parse_frame('{"keypoints": [[null, 1, 2], [NaN, 3, 4]]}', 2).keypoints
    assert np.isnan(found[0, :, 0]).all() and found[0, :, 1:].tolist() == [[1, 2], [3, 4]]


def test_mmpose_instances():
    """With the axis in front that a lifter leaves, and what we do not need."""
    instances = [
        dict(keypoints=[[[1, 2], [3, 4]]], keypoint_scores=[0.5, 0.25], bbox=[[0, 0, 1, 1]]),
        dict(keypoints=[[5, 6], [7, 8]], keypoint_scores=[1, 1], bbox_score=0.5),
    ]
    found = parse_frame(json.dumps(dict(frame_id=3, instances=instances)), 2)
    assert found.keypoints.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert found.scores.tolist() == [[0.5, 0.25], [1, 1]] and found.time is None


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('{"keypoints"', 'is no JSON'),
        ('[' * 100000, 'is no JSON'),
        ('[1, 2]', 'is no object'),
        ('{"time": 1}', 'neither "keypoints" nor'),
        ('{"keypoints": [[1, 2], [3]]}', 'something else than numbers'),
        ('{"keypoints": "abc"}', 'something else than numbers'),
        ('{"keypoints": [[[[1]]]]}', 'has shape'),
        ('{"keypoints": [[1, 2]], "time": "now"}', '"time" is \'now\''),
        ('{"keypoints": [[1, 2]], "time": true}', '"time" is True'),
        ('{"keypoints": [[1, 2]], "keypoint_scores": [1, 2]}', '"keypoint_scores" are'),
        ('{"instances": [{"keypoints": [[1, 2]]}]}', 'keypoints'),
        ('{"instances": 3}', "no list 'instances'"),
    ],
)
def test_says_what_is_wrong(line, message):
    with pytest.raises(ValueError, match=message):
        parse_frame(line, 2)


def test_a_line_without_an_end():
    """Takes no more memory than a frame may; those after it are read."""
    lines = ['{}\n', 'x' * (3 * LONGEST_LINE + 5) + '\n', '[]\n', 'y' * LONGEST_LINE]
    found = [*read_lines(io.StringIO(''.join(lines)))]
    assert found == [line[:LONGEST_LINE] for line in lines]
