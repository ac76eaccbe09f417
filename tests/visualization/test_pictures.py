import numpy as np
import pytest
from PIL import Image

from stars_mm.evaluation.protocols.training_log import TrainingLog
from stars_mm.visualization.curves import plot_curves
from stars_mm.visualization.embedding import pick_points, plot_tsne, tsne
from stars_mm.visualization.masked_prediction import MaskedClip, write_masked_gif
from stars_mm.visualization.style import class_style


@pytest.fixture
def clusters():
    """Three tight bundles of directions, whatever their length."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 4], 12)
    centres = np.eye(8)[labels]
    features = centres + 0.02 * rng.normal(size=(36, 8))
    return features * rng.uniform(1, 100, size=(36, 1)), labels


def test_tsne_keeps_neighbours_by_cosine(clusters):
    features, labels = clusters
    points = tsne(features)
    for i, point in enumerate(points):
        distance = np.linalg.norm(points - point, axis=1)
        distance[i] = np.inf
        assert labels[distance.argmin()] == labels[i]
    np.testing.assert_array_equal(points, tsne(features))


@pytest.mark.parametrize('features', [np.ones((3, 5)), np.ones(8), np.full((9, 2), np.nan)])
def test_tsne_refuses(features):
    with pytest.raises(ValueError, match='t-SNE'):
        tsne(features)


def test_picked_points_are_a_seeded_subset():
    np.testing.assert_array_equal(pick_points(5, 0, limit=5), np.arange(5))
    picked = pick_points(100, 0, limit=10)
    assert len(set(picked)) == 10 and max(picked) < 100
    np.testing.assert_array_equal(picked, pick_points(100, 0, limit=10))


def test_class_styles_differ():
    styles = [class_style(i) for i in range(60)]
    assert len(set(styles)) == 60
    for one, other in zip(styles, styles[1:]):
        assert one[0] != other[0] and one[1] != other[1]


def test_tsne_picture(tmp_path, clusters):
    features, labels = clusters
    path = tmp_path / 'tsne.png'
    panels = dict(before=features, after=features)
    plot_tsne(panels, labels, path, {0: 'walk', 1: 'sit', 4: 'run'})
    with Image.open(path) as image:
        width, height = image.size
        colours = {colour for _, colour in image.convert('RGB').getcolors(1 << 20)}
    assert width > 1.5 * height  # two panels side by side
    for index in range(3):  # the styles of three classes, slightly blended
        style = class_style(index)[0]
        wanted = np.array([int(style[i : i + 2], 16) for i in (1, 3, 5)])
        assert min(np.abs(np.array(list(colours)) - wanted).max(1)) < 45


def make_clip(num_joints, persons=1, num_frames=8):
    rng = np.random.default_rng(0)
    true = np.zeros((2, num_frames, num_joints, 3))
    true[:persons] = rng.normal(size=(persons, 1, num_joints, 3))
    true[:persons] += 0.05 * np.arange(num_frames)[:, None, None]
    hidden = rng.random(true.shape[:3]) < 0.9
    return MaskedClip('wave', true, hidden, true + 0.02)


@pytest.mark.parametrize('num_joints', [25, 20, 7])
def test_animation(tmp_path, num_joints):
    path = tmp_path / 'masked.gif'
    write_masked_gif([make_clip(num_joints), make_clip(num_joints, 2)], path, 'a caption')
    with Image.open(path) as image:
        assert image.n_frames == 8 and min(image.size) > 200
        frames = []
        for number in range(8):
            image.seek(number)
            frames.append(np.array(image.convert('RGB'), dtype=int))
    assert np.abs(frames[0] - frames[7]).max() > 100  # it moves
    assert (frames[0][0, -1] > 250).all()  # on white
    assert path.stat().st_size < 3e6


def test_long_animation_skips_frames(tmp_path):
    path = tmp_path / 'masked.gif'
    write_masked_gif([make_clip(25, num_frames=20)], path, max_frames=10)
    with Image.open(path) as image:
        assert image.n_frames == 10


def test_curves(tmp_path):
    train = {1: dict(loss=1.0), 2: dict(loss=0.5)}
    log = TrainingLog(train, {1: {'knn/top1_k1': 50.0}})
    path = tmp_path / 'curves.png'
    plot_curves([('one', log, 1.0), ('two', TrainingLog(train), 1.0)], path, dict(raw=30.0))
    with Image.open(path) as image:
        assert image.size == (round(2 * 4.6 * 110), round(5.6 * 110))
        assert len(image.convert('RGB').getcolors(1 << 20)) > 10
