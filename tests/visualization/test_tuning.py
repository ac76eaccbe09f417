"""The picture of a tuning study."""

from PIL import Image

from stars_mm.visualization import tuning

CONFIGS = ['stars_nw-ucla_small', 'views-none_nw-ucla_small', 'alpha-0.45_nw-ucla_small']


def rows():
    return [
        dict(
            config=config,
            fraction=fraction,
            progress=progress,
            seed=0,
            purity=60 + 10 * fraction,
            before=dict(knn_top1=50.0),
            after=dict(knn_top1=50.0 + place),
            curve=[(10, 51.0), (20, 50.0 + place)],
        )
        for place, config in enumerate(CONFIGS)
        for fraction in (0.1, 0.3, 1.0)
        for progress in (0.33, 1.0)
    ]


def test_the_legend_names_each_config_and_share_once():
    legend = tuning._legend(rows(), CONFIGS)
    assert [line.get_label() for line in legend] == [
        *CONFIGS,
        '100% of the clips',
        '30% of the clips',
        '10% of the clips',
    ]
    assert len({line.get_color() for line in legend[:3]}) == 3
    assert len({line.get_marker() for line in legend[3:]}) == 3


def test_the_legend_stays_in_the_picture(tmp_path):
    tuning.plot_tuning(rows(), tmp_path / 'tuning.png')
    with Image.open(tmp_path / 'tuning.png') as image:
        pixels = image.convert('L')
        width, height = pixels.size
        for edge in (
            (0, 0, 2, height),
            (width - 2, 0, width, height),
            (0, height - 2, width, height),
        ):
            assert pixels.crop(edge).getextrema() == (255, 255)
