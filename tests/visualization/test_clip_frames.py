import base64

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope

from stars_mm.engine.features import FeatureSet
from stars_mm.visualization.clip_frames import (
    MAX_FRAMES,
    choose_clips,
    pack_clip,
    recorded_clip,
    skeleton_of,
    upright,
)
from stars_mm.visualization.embedding import map_places
from stars_mm.visualization.page_data import Neighborhood, movie_data


def unpack(packed: dict, joints: int) -> np.ndarray:
    numbers = np.frombuffer(base64.b64decode(packed['q']), '<i2')
    return numbers.reshape(packed['m'], packed['t'], joints, 3) * packed['scale']


def test_packed_clip_keeps_its_joints_within_a_tenth_of_a_millimetre():
    joints = np.random.default_rng(0).uniform(-2, 2, (3, 100, 5, 3)).astype(np.float32)
    joints[1] = 0  # nobody
    joints[2, :30] = 0  # comes later
    packed = pack_clip(joints)
    assert (packed['m'], packed['t'], packed['frames']) == (2, MAX_FRAMES, 100)
    frames = [round(n * 99 / (MAX_FRAMES - 1)) for n in range(MAX_FRAMES)]
    np.testing.assert_allclose(unpack(packed, 5), joints[[0, 2]][:, frames], atol=1e-4)
    assert not unpack(packed, 5)[1, 0].any()
    short = pack_clip(joints[:1, :7])
    np.testing.assert_allclose(unpack(short, 5), joints[:1, :7], atol=1e-4)


def test_clips_of_images_are_turned_over():
    joints = np.zeros((2, 1, 3, 2))
    joints[0] = [[1, 2], [3, 4], [5, 6]]
    np.testing.assert_array_equal(upright(joints)[0, 0], [[1, -2, 0], [3, -4, 0], [5, -6, 0]])
    assert not upright(joints)[1].any()


def test_recorded_clip_is_moved_but_keeps_its_time(clips, write):
    steps = [
        dict(type='CenterSkeleton', center_joint=1),
        dict(type='TemporalCropResize', clip_len=4, p_interval=0.95),
    ]
    with DefaultScope.overwrite_default_scope('mmaction'):
        cfg = dict(type='SkeletonDataset', ann_file=write(clips), pipeline=steps, split='train')
        one = DATASETS.build(cfg)
        both = DATASETS.build(dict(type='UnionDataset', datasets=[cfg, dict(cfg, split='val')]))
    raw = clips[0]['keypoint'].astype(np.float32)
    joints, layout = recorded_clip(one, 0)
    np.testing.assert_allclose(joints, raw - raw[0, 0, 1], atol=1e-3)
    assert layout is None
    raw = clips[5]['keypoint'].astype(np.float32)
    np.testing.assert_allclose(recorded_clip(both, 5)[0], raw - raw[0, 0, 1], atol=1e-3)


def test_skeletons():
    found = skeleton_of(25, None)
    assert len(found['bones']) == 24 and found['head'] == 3
    assert [found['side'][joint] for joint in (3, 4, 8)] == [0, -1, 1]
    assert skeleton_of(6, None) == dict(joints=6, bones=[], side=[0] * 6, head=None)


def test_the_budget_takes_whole_families():
    needs = {0: [7, 8], 1: [8, 9], 2: [7], 3: []}
    assert choose_clips([0, 1, 2, 3], needs.get, size=10, budget=30) == [0, 7, 8]
    assert choose_clips([0, 1, 2, 3], needs.get, size=10, budget=31) == [0, 7, 8, 1, 9]
    assert choose_clips([0, 1, 2, 3], needs.get, size=1, budget=99) == [0, 7, 8, 1, 9, 2, 3]


def feature_set(features: np.ndarray, labels, names=None) -> FeatureSet:
    places = torch.arange(len(features))
    return FeatureSet(torch.from_numpy(features), torch.as_tensor(labels), places, names)


def test_neighbors_are_others():
    """The nearest by cosine, as a sort of all finds them; of equals, too."""
    rng = np.random.default_rng(0)
    bank, query = rng.normal(size=(9, 4)), rng.normal(size=(5, 4))
    bank[:6] = bank[0]
    labels = np.array([-1, 1, 2, 0, 1, 2, -1, 1, 2])
    sets = dict(bank=feature_set(bank, labels), query=feature_set(query, [0] * 5))
    near = Neighborhood.of(sets)
    feats = np.concatenate([bank, query])
    feats /= np.linalg.norm(feats, axis=1, keepdims=True)
    cosine = feats @ feats[:9].T
    cosine[np.arange(9), np.arange(9)] = -9
    np.testing.assert_allclose(near.similarity, -np.sort(-cosine)[:, :3], atol=1e-6)
    np.testing.assert_allclose(
        np.take_along_axis(cosine, near.index, 1), near.similarity, atol=1e-6
    )
    known = np.where(labels < 0, -9, cosine[9:])
    highest = known == known.max(1, keepdims=True)
    assert all(taken in labels[row] for taken, row in zip(near.predicted, highest))


def test_clips_that_are_compared_with_themselves():
    """Where query and bank are the same clips, a clip is not its own neighbor."""
    feats, names = np.random.default_rng(0).normal(size=(8, 4)), list('abcdefgh')
    clips = feature_set(feats, [-1] * 8, names)
    near = Neighborhood.of(dict(bank=clips, query=clips))
    assert (near.index != np.tile(np.arange(8), 2)[:, None]).all()
    assert (near.predicted == -1).all()


def test_many_points_are_placed_by_their_neighbors(monkeypatch):
    monkeypatch.setattr('stars_mm.visualization.embedding.MAX_POINTS', 30)
    monkeypatch.setattr('stars_mm.visualization.embedding.pick_points.__defaults__', (30,))
    labels = np.arange(90) % 3
    features = np.eye(8)[labels] + 0.02 * np.random.default_rng(0).normal(size=(90, 8))
    places = map_places(features)
    middles = np.stack([places[labels == label].mean(0) for label in range(3)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=-1).argmin(1)
    np.testing.assert_array_equal(nearest, labels)
    assert map_places(features[:2]).shape == (2, 2)


class FewClips:
    """What :func:`movie_data` asks of a reader."""

    def __init__(self, count: int) -> None:
        self.pipeline = type('Steps', (), dict(transforms=[]))
        self.joints = np.random.default_rng(count).normal(size=(count, 1, 4, 5, 3))

    def __len__(self) -> int:
        return len(self.joints)

    def get_data_info(self, index: int) -> dict:
        return dict(keypoint=self.joints[index])

    def loader(self, role: str):
        return type('Loader', (), dict(dataset=self))


@pytest.mark.parametrize('budget', [1, 10**6])
def test_movies_show_mistakes_first(budget):
    """A mistake, its neighbors, and more while there is room."""
    index = np.tile([1, 3], (20, 1))
    wrong = np.arange(10) == 4
    movies = movie_data(FewClips(10), index, wrong, seed=0, budget=budget)
    clips = list(movies['clips'])
    assert movies['total'] == 20 and clips[:3] == [14, 1, 3]
    assert len(clips) == (3 if budget == 1 else 20)
    np.testing.assert_allclose(unpack(movies['clips'][14], 5), FewClips(10).joints[4], atol=1e-3)
