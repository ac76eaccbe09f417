"""mmpose's predictions, made of tracks that are known."""

import json

import numpy as np
import pytest

from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.readers import get_reader
from stars_mm.preparation.readers.mmpose import is_mmpose, parse_mmpose
from stars_mm.preparation.readers.tables import TableOptions, parse_json


def tracks(channels=2, persons=2, frames=12, seed=0):
    """Persons who walk past each other, and their scores."""
    rng = np.random.default_rng(seed)
    body = rng.normal(0, 10, (persons, 1, 17, channels))
    steps = rng.normal(0, 1, (persons, frames, 17, channels))
    start = np.arange(persons)[:, None, None, None] * 200
    return (np.round(body + steps + start, 2), rng.uniform(0.5, 1, (persons, frames, 17)).round(3))


def predictions(keypoints, scores, seen=None):
    """As the inferencer saves them, persons in another order each frame."""
    rng = np.random.default_rng(0)
    M, T = scores.shape[:2]
    seen = np.ones((M, T), bool) if seen is None else seen
    return [
        dict(
            frame_id=t,
            instances=[
                dict(keypoints=keypoints[m, t].tolist(), keypoint_scores=scores[m, t].tolist())
                for m in rng.permutation(M)
                if seen[m, t]
            ],
        )
        for t in range(T)
    ]


@pytest.mark.parametrize('channels, demo', [(2, False), (3, True)])
def test_persons_are_followed(channels, demo):
    keypoints, scores = tracks(channels)
    scores[1] += 0.4  # the second one is seen more surely: comes first
    content = predictions(keypoints, scores)
    if demo:
        content = dict(meta_info=dict(dataset_name='coco'), instance_info=content)
    assert is_mmpose(content)
    found = parse_json(json.dumps(content).encode(), TableOptions(get_layout('coco-17')))
    np.testing.assert_allclose(found[0], keypoints[::-1])
    np.testing.assert_allclose(found[1], scores[::-1])


def test_who_comes_and_goes():
    keypoints, scores = tracks(persons=3)
    seen = np.ones((3, 12), bool)
    seen[:, :2] = seen[:, 11] = False  # nobody at the ends
    seen[1, 5:7] = False  # away for two frames
    seen[2, 3:] = False  # a short visit
    found, confidence, _ = parse_mmpose(predictions(keypoints, scores, seen), 17, num_person=2)
    expected = np.where(seen[..., None, None], keypoints, 0)[:2, 2:11]
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(confidence, np.where(seen[..., None], scores, 0)[:2, 2:11])


def test_a_lifters_axis_of_length_one():
    keypoints, scores = tracks(3, persons=1)
    content = predictions(keypoints, scores)
    for frame in content:
        for instance in frame['instances']:
            instance.update({key: [instance[key]] for key in ('keypoints', 'keypoint_scores')})
    found, confidence, _ = parse_mmpose(content, 17, 2)
    np.testing.assert_allclose(found, keypoints)
    np.testing.assert_allclose(confidence, scores)


def broken(change):
    content = predictions(*tracks())
    change(content[3], content[3]['instances'][1])
    return content


@pytest.mark.parametrize(
    'content, message',
    [
        (broken(lambda frame, _: frame.pop('instances')), r"_info\[3\] has no list 'instances'"),
        (
            broken(lambda _, one: one.pop('keypoint_scores')),
            r"\[3\]\['instances'\]\[1\]\['keypoint_scores'\] is missing",
        ),
        (broken(lambda _, one: one['keypoints'].pop()), r'has shape \(16, 2\); .* 17'),
        (broken(lambda _, one: one.update(keypoints=['a'])), 'is missing or holds no numbers'),
        ([dict(frame_id=0, instances=[])], 'shows no body in any frame'),
    ],
)
def test_bad_predictions(content, message):
    with pytest.raises(ValueError, match=message):
        parse_mmpose(content, 17, 2)


def test_a_folder_of_videos(tmp_path):
    content = json.dumps(predictions(*tracks(persons=3)))
    for label in ('wave', 'sit'):
        (tmp_path / label).mkdir()
        (tmp_path / label / 'ada.json').write_text(content)
    found = get_reader('mmpose')(str(tmp_path), num_person=1)
    assert [(clip.name, clip.label) for clip in found] == [('sit/ada', 'sit'), ('wave/ada', 'wave')]
    assert get_layout(found.layout).name == 'coco-17'
    assert found.recordings[0].load().keypoints.shape == (1, 12, 17, 2)
