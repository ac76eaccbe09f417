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


def test_subjects_and_cameras():
    expected = dict(
        xsub_train={'a0', 'a1', 'a2', 'c0', 'c1', 'c2'},
        xsub_val={'b0', 'b1', 'b2', 'd0', 'd1', 'd2'},
    )
    assert parts(SplitRule(train_subjects='ac').apply(clips())) == expected
    assert parts(SplitRule(val_subjects='bd').apply(clips())) == expected
    both = SplitRule(val_subjects='bd', val_cameras=['2']).apply(clips())
    assert parts(both) == dict(
        expected,
        xview_train={f'{s}{t}' for s in 'abcd' for t in (0, 1)},
        xview_val={'a2', 'b2', 'c2', 'd2'},
    )
    numbers = clips([1, 2])
    assert parts(SplitRule(val_subjects=['2']).apply(numbers))['xsub_val'] == {'20', '21', '22'}


def test_named_splits_come_first():
    named = clips(split=lambda s: 'test' if s == 'a' else 'train')
    assert parts(SplitRule().apply(named)) == dict(
        test={'a0', 'a1', 'a2'}, train={f'{s}{t}' for s in 'bcd' for t in range(3)}
    )
    assert list(SplitRule(val_subjects='a').apply(named)) == [
        'test',
        'train',
        'xsub_train',
        'xsub_val',
    ]


def test_several_splits_and_rules_that_replace_them():
    named = clips('ab', split=lambda s: ['xsub_train', 'one'] if s == 'a' else ['xsub_val'])
    assert parts(SplitRule().apply(named)) == dict(
        xsub_train={'a0', 'a1', 'a2'}, one={'a0', 'a1', 'a2'}, xsub_val={'b0', 'b1', 'b2'}
    )
    found = parts(SplitRule(val_subjects='a').apply(named))
    assert found['xsub_val'] == found['one'] == {'a0', 'a1', 'a2'}
    assert found['xsub_train'] == {'b0', 'b1', 'b2'}


@pytest.mark.parametrize('fraction, count', [(None, 3), (0.01, 1), (0.99, 9)])
def test_fraction_of_the_subjects(fraction, count):
    some = clips('abcdefghij')
    drawn = {}
    for seed in range(30):
        splits = SplitRule(val_fraction=fraction, seed=seed).apply(some)
        val = {name[0] for name in splits['xsub_val']}
        assert len(val) == count
        assert len(splits['xsub_val']) == 3 * count
        assert not val & {name[0] for name in splits['xsub_train']}
        drawn[frozenset(val)] = True
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


@pytest.mark.parametrize(
    'arguments, some, message',
    [
        (dict(), nobody(clips()), r"lab/x\.csv: the subject of 'b1' is not known"),
        (dict(val_subjects='ax'), clips(), "no clip is of subject 'x'.* a, b, c,"),
        (dict(val_cameras=['7']), clips(), "no clip is of camera '7'.* 0, 1, 2"),
        (dict(val_subjects='abcd'), clips(), "split 'xsub_train' would have no"),
        (dict(), clips('a'), "all clips are of subject 'a'"),
        (
            dict(),
            clips(split=lambda s: 'x' if s == 'a' else None),
            r"'b0' names no split, and others do, \['x'\]",
        ),
    ],
)
def test_what_cannot_be_parted(arguments, some, message):
    with pytest.raises(ValueError, match=message):
        SplitRule(**arguments).apply(some)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(over='take'), "over='take'"),
        (dict(val_fraction=1), 'val_fraction=1: must lie'),
        (dict(train_subjects='a', val_fraction=0.5), 'train_subjects and val_frac'),
    ],
)
def test_rules_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        SplitRule(**arguments)
