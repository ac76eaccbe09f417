"""What is found agrees with what training refuses, and with the eye."""

import json
from collections import Counter

import numpy as np
import pytest

from stars_mm.datasets import SkeletonDataset, load_annotations
from stars_mm.preparation.inspection import as_text, inspect_annotations
from stars_mm.preparation.inspection.doubts import split_pairs


def look(path):
    extra = {}
    annotations, splits = load_annotations(path, extra)
    return inspect_annotations(annotations, splits, extra.get('class_names'), path)


def counts(findings):
    """How many cases each kind has; 'split' may come once for each split."""
    found = Counter()
    for finding in findings:
        found[finding.kind] += finding.count
    return dict(found)


def cases(findings):
    return {finding.kind: finding.cases for finding in findings}


def refused(path, num_classes):
    """Whether training on some split, or on all of the file, is refused."""
    for split in (None, *(load_annotations(path)[1] or ())):
        try:
            SkeletonDataset(path, [], split=split, serialize_data=False, num_classes=num_classes)
        except (ValueError, TypeError):
            return True
    return False


def other_joints_in_val(clips, splits):
    for clip in clips[4:]:
        clip['keypoint'] = clip['keypoint'][:, :, :4]


def no_clips(clips, splits):
    clips.clear()
    splits.clear()


CHANGES = {
    'nothing': (lambda clips, splits: None, {}),
    'no keypoint': (lambda clips, splits: clips[1].pop('keypoint'), dict(clip=1)),
    'other joints in val': (other_joints_in_val, dict(clip=2)),
    'label in text': (lambda clips, splits: clips[1].update(label='1'), dict(label=1)),
    'no label': (lambda clips, splits: clips[1].pop('label'), {}),
    'missing': (lambda clips, splits: splits['val'].extend('xy'), dict(missing=2)),
    'empty split': (lambda clips, splits: splits.update(val=[]), dict(split=1)),
    'a number for a split': (lambda clips, splits: splits.update(val=3), dict(split=1)),
    'a list for a name': (lambda clips, splits: clips[1].update(frame_dir=['a']), dict(split=1)),
    'no name': (lambda clips, splits: clips[2].pop('frame_dir'), dict(split=1)),
    'no clips': (no_clips, dict(split=3)),
}


@pytest.mark.parametrize('change, found', CHANGES.values(), ids=CHANGES)
def test_faults_are_what_training_refuses(write, clips, change, found):
    names = [clip['frame_dir'] for clip in clips]
    splits = dict(train=names[:4], val=names[4:])
    change(clips, splits)
    path = write(clips, **splits)
    report = look(path)
    assert counts(report.faults) == found
    assert refused(path, report.num_classes) == bool(found)
    json.dumps(report.as_dict(), allow_nan=False)
    assert ('sound: 0 faults' in as_text(report)) == (not found)


def test_a_sound_file(write, clips):
    report = look(write(clips))
    assert not report.faults and not report.warnings
    assert report.as_dict()['splits'] == dict(
        train=dict(clips=4, classes=3, frames=dict(min=10, median=11.5, mean=11.5, max=13)),
        val=dict(clips=2, classes=2, frames=dict(min=14, median=14.5, mean=14.5, max=15)),
    )
    assert report.splits['val'].class_counts == {1: 1, 2: 1}
    assert report.persons == {1: 3, 2: 3} and report.shapes == {(5, 3): 6}
    assert report.pairs == [('train', 'val')]


def test_faults_of_one_kind_are_one_finding(write, clips):
    for number in (1, 3):
        clips[number]['keypoint'][0, number, 2, 1] = np.nan
    clips[2]['keypoint'] *= 0
    nan, zero = look(write(clips)).faults
    assert (nan.count, zero.count) == (2, 1)
    assert nan.cases == tuple(f"'clip{n}': keypoint[0, {n}, 2, 1] is nan" for n in (1, 3))


def test_names_are_counted(write, clips):
    names = [clip['frame_dir'] for clip in clips]
    sub = dict(xsub_train=names[:4], xsub_val=names[2:])
    report = look(write(clips, **sub, xview_train=names[3:], xview_val=names[:3]))
    assert cases(report.warnings) == dict(overlap=("'clip2'", "'clip3'"))
    clips[1].update(clips[0], label=1)  # of one name, so no hidden copy
    report = look(write(clips, train=['clip0', 'clip2', 'clip2'], val=['clip4']))
    assert counts(report.warnings) == dict(name_twice=1, listed_twice=1, unused=2)
    assert not report.faults and len(report.splits['train'].members) == 3


def test_copies_under_other_names(write, clips):
    clips[1].update(keypoint=clips[4]['keypoint'].copy(), total_frames=14, label=0)
    clips[3].update(keypoint=clips[0]['keypoint'].astype(np.float64), total_frames=10)
    found = cases(look(write(clips)).warnings)
    assert found['copy_across'] == ("'clip4' = 'clip1'",)
    assert found['copy'] == ("'clip3' = 'clip0'",)
    assert found['copy_label'] == ("'clip4': [1], 'clip1': [0]",)


def test_classes(clips):
    names = [clip['frame_dir'] for clip in clips]
    for class_names, label, faults, warnings in (
        (['a', 'b', 'c'], 1, {}, {}),
        (['a', 'b', 'c', 'd'], 1, {}, dict(label_gap=1)),
        (['a', 'b'], 1, dict(label=2), {}),
        (None, 2**60, {}, dict(label_gap=2**60 + 1 - 4)),
        (['a', 'a', 'c'], 1, {}, dict(class_names=1)),
        ([1, 2, 3], 1, {}, dict(class_names=1)),
        (np.array(['a', 'b', 'c']), 1, {}, {}),
    ):
        clips[3]['label'] = label
        report = inspect_annotations(clips, dict(all=names), class_names)
        assert (counts(report.faults), counts(report.warnings)) == (faults, warnings)


def test_labels_of_several_classes_and_none(clips):
    for number, clip in enumerate(clips):
        clip['label'] = [0, number % 2 + 1]
    report = inspect_annotations(clips, None)
    assert report.whole.class_counts == {0: 6, 1: 3, 2: 3}
    assert not report.faults and not report.warnings
    for clip in clips:
        del clip['label']
    report = inspect_annotations(clips, None)
    assert not report.faults and counts(report.warnings) == dict(no_label=6)


def test_motion_is_judged(clips):
    clips[0]['keypoint'][:, 3] = 0
    clips[1]['keypoint'][0, 5:, 2] += 500
    clips[2]['keypoint'][:] = clips[2]['keypoint'][:, :1]
    clips[3]['total_frames'] = 9
    clips[4]['keypoint'] = clips[4]['keypoint'].astype(np.float32) * 1000
    report = inspect_annotations(clips, None)
    assert not report.faults
    found = cases(report.warnings)
    assert found['empty_frames'] == ("'clip0': 1 of 10 frames",)
    assert found['jump'][0].startswith("'clip1': person 0 joint 2 by ")
    assert found['still'] == ("'clip2': 12 frames",)
    assert found['unused_frames'] == ("'clip3': 9 of 13",)
    assert any(text.startswith("'clip4'") for text in found['other_unit'])


def test_pairs_of_splits():
    for names, pairs in (
        ('xsub_val fold_train xsub_train fold_val', 'xsub_train-xsub_val fold_train-fold_val'),
        ('a_val a_train a_val1_val a_val1_train', 'a_train-a_val a_val1_train-a_val1_val'),
        ('training validation test', 'training-validation training-test validation-test'),
        ('trains fold1 contest Train TEST', 'Train-TEST'),
    ):
        found = split_pairs(names.split())
        assert sorted(found) == sorted(tuple(pair.split('-')) for pair in pairs.split())


def test_text_of_a_stranger_is_harmless(clips):
    bell = '\x1b[2Jcl\near\x07'
    for clip in clips:
        clip['frame_dir'] = bell + clip['frame_dir']
    clips[0]['keypoint'][:] = np.nan
    names = [clip['frame_dir'] for clip in clips]
    report = inspect_annotations(clips, {f'train{bell}': names}, [bell, 'b' * 99, 'c'])
    text = as_text(report)
    assert all(c.isprintable() for c in text.replace('\n', ''))
    assert max(map(len, text.splitlines())) < 200


def test_some_clips_without_a_label_and_a_single_class(clips):
    del clips[1]['label']
    for clip in clips[2:]:
        clip['label'] = 0
    report = inspect_annotations(clips, None, ['wave'])
    assert not report.faults
    found = cases(report.warnings)
    assert found == dict(no_label=("'clip1'",), one_class=('wave',))


def test_a_unit_that_the_bodies_contradict(clips):
    for clip in clips:
        clip['keypoint'] = clip['keypoint'].astype(np.float32) * 500
    assert not inspect_annotations(clips, None).faults
    (fault,) = inspect_annotations(clips, None, unit='m').faults
    assert (fault.kind, fault.count) == ('unit', 6) and '--unit mm' in fault.message
