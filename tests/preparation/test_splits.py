"""Splits of made-up clips."""

import pytest

from stars_mm.preparation.recording import Recording
from stars_mm.preparation.splits import SplitRule


def clips(subjects='abcd', split=lambda s: None, takes=3):
    return [
        Recording(f'{s}{take}', f'class{take % 2}', s, None, camera=take, split=split(s))
        for s in subjects
        for take in range(takes)
    ]


def parts(splits):
    return {name: set(names) for name, names in splits.items()}


def takes(subjects, numbers=(0, 1, 2)):
    return {f'{s}{take}' for s in subjects for take in numbers}


def test_subjects_and_cameras():
    expected = dict(xsub_train=takes('ac'), xsub_val=takes('bd'))
    assert parts(SplitRule(train_subjects='ac').apply(clips())) == expected
    assert parts(SplitRule(val_subjects='bd').apply(clips())) == expected
    both = SplitRule(val_subjects='bd', val_cameras=['2']).apply(clips())
    views = dict(xview_train=takes('abcd', (0, 1)), xview_val=takes('abcd', [2]))
    assert parts(both) == {**expected, **views}
    assert parts(SplitRule(val_subjects=['2']).apply(clips([1, 2])))['xsub_val'] == takes('2')


def test_splits_that_clips_name_and_rules_that_replace_them():
    named = clips('ab', split=lambda s: ['xsub_train', 'one'] if s == 'a' else 'xsub_val')
    expected = dict(xsub_train=takes('a'), one=takes('a'), xsub_val=takes('b'))
    assert parts(SplitRule().apply(named)) == expected
    swapped = dict(xsub_train=takes('b'), one=takes('a'), xsub_val=takes('a'))
    assert parts(SplitRule(val_subjects='a').apply(named)) == swapped
    for clip in named[:3]:
        clip.split = [*clip.splits, 'xsub_val1_train', 'xview_train']
    assert parts(SplitRule().apply(named))['xsub_val1_train'] == takes('a')
    inside_goes = dict(swapped, xview_train=takes('a'))
    assert parts(SplitRule(val_subjects='a').apply(named)) == inside_goes


@pytest.mark.parametrize('fraction, count', [(None, 3), (0.01, 1), (0.99, 9)])
def test_fraction_of_the_subjects(fraction, count):
    some, drawn = clips('abcdefghij'), set()
    for seed in range(30):
        splits = SplitRule(val_fraction=fraction, seed=seed).apply(some)
        val = {name[0] for name in splits['xsub_val']}
        assert len(val) == count and set(splits['xsub_val']) == takes(val)
        assert set(splits['xsub_train']) == takes(set('abcdefghij') - val)
        drawn.add(frozenset(val))
        again = SplitRule(val_fraction=fraction, seed=seed).apply(some[::-1])
        assert parts(again) == parts(splits)
    assert len(drawn) > 5


def test_fraction_of_the_clips_of_each_class():
    some = clips('abcdefghij')  # 20 clips of class0, 10 of class1
    splits = SplitRule(val_fraction=0.3, over='clip').apply(some)
    label = {clip.name: clip.label for clip in some}
    val = [label[name] for name in splits['clip_val']]
    assert (val.count('class0'), val.count('class1')) == (6, 3)
    assert sorted(splits['clip_train'] + splits['clip_val']) == sorted(label)


def nobody(clips):
    clips[4].subject = None
    clips[4].source = 'lab/x.csv'
    return clips


PARTLY = clips(split=lambda s: 'x' if s == 'a' else None)


@pytest.mark.parametrize(
    'arguments, some, message',
    [
        (dict(), nobody(clips()), r"lab/x\.csv: the subject of 'b1' is not known"),
        (dict(val_subjects='ax'), clips(), "no clip is of subject 'x'.* a, b, c,"),
        (dict(val_subjects='abcd'), clips(), "split 'xsub_train' would have no"),
        (dict(), clips('a'), "all clips are of subject 'a'"),
        (dict(), PARTLY, r"'b0' names no split, and others do, \['x'\]"),
        (dict(over='take'), [], "over='take'"),
        (dict(val_fraction=1), [], 'val_fraction=1: must lie'),
        (dict(train_subjects='a', val_fraction=0.5), [], 'train_subjects and val_frac'),
    ],
)
def test_what_cannot_be_parted(arguments, some, message):
    with pytest.raises(ValueError, match=message):
        SplitRule(**arguments).apply(some)


def test_clips_without_labels():
    bare = [Recording(f'c{n}') for n in range(8)]
    assert SplitRule().apply(bare) == dict(train=[f'c{n}' for n in range(8)])
    drawn = SplitRule(over='clip', val_fraction=0.25).apply(bare)
    assert {name: len(names) for name, names in drawn.items()} == dict(clip_train=6, clip_val=2)
    with pytest.raises(ValueError, match='subject of .* is not known'):
        SplitRule(val_fraction=0.5).apply(bare)
    known = [Recording(f'd{n}', 'walk') for n in range(4)]
    drawn = SplitRule(over='clip', val_fraction=0.5).apply(bare + known)
    assert {name[0] for name in drawn['clip_val']} == {'d'}  # none without a label is judged
    seen = SplitRule().apply([Recording(f'{s}{n}', None, s) for s in 'ab' for n in range(2)])
    assert {len({name[0] for name in names}) for names in seen.values()} == {1}
