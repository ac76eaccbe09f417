"""Drawing label subsets, and their files."""

import runpy
from collections import Counter

import numpy as np
import pytest

from stars_mm.datasets.clip_selection import read_subset
from stars_mm.datasets.label_subsets import draw_subset, write_subsets
from stars_mm.utils.input_error import InputError

# 60, 30 and 10 clips of three classes, mixed
LABELS = np.random.default_rng(0).permutation([0] * 60 + [1] * 30 + [2] * 10)


@pytest.mark.parametrize('balanced', [False, True])
def test_draws(balanced):
    """No clip twice; a share of 10 % is part of 20 % of the same draw; seed
    and draw both matter and nothing else does."""
    for seed, draw in ((0, 0), (0, 1), (1, 0)):
        small, large = (
            draw_subset(LABELS, percent, seed, draw, balanced).tolist() for percent in (10, 20)
        )
        assert len(set(small)) == 10 and len(set(large)) == 20
        assert set(small) < set(large) and large == sorted(large)
        assert small == draw_subset(LABELS, 10, seed, draw, balanced).tolist()
    draws = {
        tuple(draw_subset(LABELS, 10, seed, draw, balanced))
        for seed in range(3)
        for draw in range(3)
    }
    assert len(draws) == 9


def test_random_draws_follow_the_classes_and_balanced_ones_give_each_its_share():
    draws = [draw_subset(LABELS, 10, draw=draw).tolist() for draw in range(400)]
    counts = Counter(LABELS[np.concatenate(draws)].tolist())
    for label, expected in ((0, 2400), (1, 1200), (2, 400)):
        assert abs(counts[label] - expected) < 4 * expected**0.5
    clips = Counter(np.concatenate(draws).tolist())
    assert len(clips) == 100 and 15 < min(clips.values())
    assert [len(draw_subset(LABELS, percent)) for percent in (1, 12.5, 100)] == [1, 12, 100]

    extra = Counter()
    for draw in range(60):
        counts = Counter(LABELS[draw_subset(LABELS, 10, draw=draw, balanced=True)].tolist())
        assert sorted(counts.values()) == [3, 3, 4]
        extra[max(counts, key=counts.get)] += 1
    assert min(extra[label] for label in range(3)) > 8


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(percent=0), 'percent=0 must lie'),
        (dict(percent=101), 'percent=101 .*no more clips'),
        (dict(percent=0.4), r'percent=0\.4 of 100 clips is less than one'),
        (dict(percent=2, balanced=True), 'are 2, fewer than the 3 classes'),
        (dict(percent=40, balanced=True), 'needs 1[34] clips of class 2, and there are 10'),
        (dict(percent=50, labels=[[0, 1], [1, 1]]), 'one integer for each clip'),
    ],
)
def test_shares_that_cannot_be_drawn(kwargs, message):
    with pytest.raises(ValueError, match=message):
        draw_subset(**dict(dict(labels=LABELS), **kwargs))


def test_written_files_are_read_back(write, make_clip, repo_root, tmp_path, capsys):
    """By the function, and by the tool."""
    clips = [make_clip(i, label=i % 3) for i in range(20)]
    names = [clip['frame_dir'] for clip in clips]
    ann_path, folder = write(clips, train=names[:15], val=names[15:]), str(tmp_path / 'new')
    paths = write_subsets(ann_path, 'train', folder, 40, 2, 3)
    assert [path.split('new/')[1] for path in paths] == [
        f'ann_train_40pct_random_seed3_draw{draw}.txt' for draw in (0, 1)
    ]
    for draw, path in enumerate(paths):
        wanted = [f'clip{i}' for i in draw_subset(np.arange(15) % 3, 40, 3, draw)]
        assert read_subset(path) == wanted
        text = open(path).read()
        assert 'annotations ann.pkl, split train: 15 clips' in text
        assert f'# seed 3, draw {draw}\n' in text
    assert write_subsets(ann_path, 'train', folder, 40, 5, 3)[:2] == paths
    assert open(paths[1]).read() == text

    main = runpy.run_path(str(repo_root / 'tools/data/draw_subset.py'))['main']
    dst = tmp_path / 'dst'
    common = [ann_path, 'train', str(dst)]
    main(common + ['--percent', '20', '40', '--draws', '2', '--balanced'])
    assert len(list(dst.glob('ann_train_*pct_balanced_*'))) == 4
    assert 'ann_train_20pct_balanced_seed0_draw1.txt: 3 clips' in capsys.readouterr().out
    with pytest.raises(SystemExit, match="'train': percent=200 must lie"):
        main(common + ['--percent', '200'])


@pytest.mark.parametrize('name', ['#1', 'a\nb', ' a', '', 3])
def test_names_that_no_line_holds(write, make_clip, tmp_path, name):
    """A line after # is a comment: the clip would be left out in silence."""
    clips = [make_clip(n, label=n) for n in range(2)]
    clips[0]['frame_dir'] = name
    path = write(clips, train=[name, 'clip1'])
    with pytest.raises(InputError, match='cannot hold the name .* Rename the clip'):
        write_subsets(path, 'train', str(tmp_path / 'new'), 50)
