import numpy as np
import pytest
from PIL import Image

from stars_mm.visualization.embedding import pick_points, plot_tsne, tsne
from stars_mm.visualization.masked_prediction import MaskedClip, write_masked_gif
from stars_mm.visualization.style import class_style


def test_tsne_keeps_neighbors_by_cosine(tmp_path):
    """Of three tight bundles of directions, whatever their length; and its picture."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 4], 12)
    features = np.eye(8)[labels] + 0.02 * rng.normal(size=(36, 8))
    features *= rng.uniform(1, 100, size=(36, 1))
    points = tsne(features)
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert (labels[distance.argmin(1)] == labels).all()
    np.testing.assert_array_equal(points, tsne(features))

    path = tmp_path / 'tsne.png'
    panels = dict(before=points, after=points)
    plot_tsne(panels, labels, path, {0: 'walk', 1: 'sit', 4: 'run'})
    with Image.open(path) as image:
        width, height = image.size
        colors = np.array([color for _, color in image.convert('RGB').getcolors(1 << 20)])
    assert width > 1.5 * height  # two panels side by side
    for index in range(3):  # the styles of three classes, slightly blended
        style = class_style(index)[0]
        wanted = np.array([int(style[i : i + 2], 16) for i in (1, 3, 5)])
        assert np.abs(colors - wanted).max(1).min() < 45


@pytest.mark.parametrize('features', [np.ones((3, 5)), np.ones(8), np.full((9, 2), np.nan)])
def test_tsne_refuses(features):
    with pytest.raises(ValueError, match='t-SNE'):
        tsne(features)


def test_picked_points_are_a_seeded_subset_and_class_styles_differ():
    np.testing.assert_array_equal(pick_points(5, 0, limit=5), np.arange(5))
    picked = pick_points(100, 0, limit=10)
    assert len(set(picked)) == 10 and max(picked) < 100
    np.testing.assert_array_equal(picked, pick_points(100, 0, limit=10))
    assert len({class_style(i) for i in range(60)}) == 60


def test_animation(tmp_path):
    """It moves, on white, and leaves out frames where they are many."""
    rng = np.random.default_rng(0)
    true = np.zeros((2, 20, 25, 3))
    true[:1] = rng.normal(size=(1, 1, 25, 3)) + 0.05 * np.arange(20)[:, None, None]
    clip = MaskedClip('wave', true, rng.random(true.shape[:3]) < 0.9, true + 0.02)
    write_masked_gif([clip, clip], tmp_path / 'masked.gif', 'a caption', max_frames=10)
    with Image.open(tmp_path / 'masked.gif') as image:
        assert image.n_frames == 10 and min(image.size) > 200
        first = np.array(image.convert('RGB'), dtype=int)
        image.seek(7)
        assert np.abs(first - np.array(image.convert('RGB'), dtype=int)).max() > 100
    assert (first[0, -1] > 250).all()
