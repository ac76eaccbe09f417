"""Measures how well long recordings are cut into segments, beside two plain ways.

    python tools/benchmarks/segment_results.py data/skeleton/utd-mhad.pkl --split xsub

Clips of the split's test part, of one subject and one camera, are put one after another, 5 to 8 a
recording, each moved over the ground to where the one before ended, with 10 frames in between that
go straight from one to the other and count nowhere. No two neighbors are of one class. The actions
are learned from so many clips of each class of the training part, drawn anew for every tenth
recording: once all classes, once two thirds of them, and the others' frames are none of them. Rows:

segments      FewShotRecognizer.segments
raw           the same, in half-whitened coordinates fitted to the training part's clips
windows       windows as long as the median example, one after another, each on its own

Frame accuracy, and F1 of segments by an overlap of half of intersection over union.
"""

import argparse
from dataclasses import replace

import numpy as np

from stars_mm.apis import FewShotRecognizer, SkeletonInferencer
from stars_mm.apis.inputs import InputClip
from stars_mm.apis.packed_space import shipped_space
from stars_mm.evaluation.functional.feature_space import FeatureSpace
from stars_mm.preparation.annotation_file import clip_key, load_annotations

NONE, UNCOUNTED = '(none)', '(transition)'
TRANSITION, SHORTEST = 10, 8  # frames between clips; of a clip that is taken


def join(clips: list[InputClip]) -> tuple[InputClip, np.ndarray]:
    """Clips one after another, and the class of every frame."""
    parts, truth = [clips[0].keypoint[:1]], [clips[0].label] * clips[0].keypoint.shape[1]
    for clip in clips[1:]:
        last, keypoint = parts[-1][:, -1:], clip.keypoint[:1]
        shift = (last - keypoint[:, :1]).mean(axis=2, keepdims=True) * np.array([1, 0, 1], 'f4')
        keypoint = keypoint + shift
        weight = np.linspace(0, 1, TRANSITION + 2, dtype='f4')[1:-1, None, None]
        parts += [last * (1 - weight) + keypoint[:, :1] * weight, keypoint]
        truth += [UNCOUNTED] * TRANSITION + [clip.label] * keypoint.shape[1]
    return replace(clips[0], keypoint=np.concatenate(parts, axis=1)), np.array(truth, object)


def recordings(clips: list[InputClip], places: list[tuple], count: int) -> list[tuple]:
    """Recordings of several clips of one place, and the classes of their frames."""
    rng = np.random.default_rng(0)
    groups = [[c for c, own in zip(clips, places) if own == place] for place in sorted(set(places))]
    groups = [group for group in groups if len({clip.label for clip in group}) > 4]
    found = []
    for _ in range(count):
        group, wanted, chosen = groups[rng.integers(len(groups))], rng.integers(5, 9), []
        for number in rng.permutation(len(group)):
            clip = group[number]
            if len(chosen) < wanted and (not chosen or chosen[-1].label != clip.label):
                chosen.append(clip)
        found.append(join(chosen))
    return found


def segments_of(labels: np.ndarray) -> list[tuple]:
    """Begin, end and class of every run of equal classes but none."""
    bounds = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1), len(labels)]
    return [(b, e, labels[b]) for b, e in zip(bounds, bounds[1:]) if labels[b] != NONE]


def match_segments(found: np.ndarray, truth: np.ndarray, least: float = 0.5) -> tuple[int, ...]:
    """Right, wrong and missed segments: one is right by the true one of its class that it overlaps
    most, if at least by this share of their union, and no other has it (Lea et al., CVPR 2017)."""
    true, taken = segments_of(truth), set()
    predicted = segments_of(found)
    for begin, end, label in predicted:
        share = [
            (min(end, e) - max(begin, b)) / (max(end, e) - min(begin, b)) if own == label else -1
            for b, e, own in true
        ]
        best = int(np.argmax(share)) if share else -1
        if share and share[best] >= least and best not in taken:
            taken.add(best)
    return len(taken), len(predicted) - len(taken), len(true) - len(taken)


def plain_windows(recognizer: FewShotRecognizer, clip: InputClip) -> list[dict]:
    length, T = int(np.median(recognizer.frames)), clip.keypoint.shape[1]
    cuts = [(begin, min(begin + length, T)) for begin in range(0, T, length)]
    found = recognizer.judge(recognizer.place([clip.cut(*cut) for cut in cuts]))
    return [dict(begin=b, end=e, **one) for (b, e), one in zip(cuts, found) if one['known']]


def draw(recognizer, clips, features, classes, shots, seed) -> FewShotRecognizer:
    """The recognizer taught so many clips of each class."""
    rng = np.random.default_rng(seed)
    labels = np.array([clip.label for clip in clips])
    which = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:shots] for c in classes])
    recognizer.frames = [clips[n].keypoint.shape[1] for n in which]
    examples = [(clips[n].name, classes.index(clips[n].label)) for n in which]
    return recognizer.learn_features(features[which], examples, classes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('annotations', help='annotation file with class names')
    add('--split', default='xsub', help='before _train and _val (default: %(default)s)')
    add('--shots', type=int, nargs='+', default=[3, 5, 10], help='examples a class')
    add('--recordings', type=int, default=40)
    args = parser.parse_args()
    encode = SkeletonInferencer()
    train, test = (
        [c for c in encode.read(args.annotations, split=f'{args.split}_{part}')
         if c.keypoint.shape[1] >= SHORTEST]
        for part in ('train', 'val')
    )  # fmt: skip
    annotations = load_annotations(args.annotations)[0]
    key = clip_key(annotations)
    place = {a[key]: (str(a.get('subject')), str(a.get('camera'))) for a in annotations}
    cases = recordings(test, [place[clip.name] for clip in test], args.recordings)
    bank = encode.parts(train, ('positions', 'distances', 'joints', 'raw'))
    combined, raw = shipped_space(encode.encoder), FeatureSpace(['raw']).fit(bank)
    ways = dict(
        segments=(combined, lambda r, clip: r.segments(clip)),
        raw=(raw, lambda r, clip: r.segments(clip)),
        windows=(combined, plain_windows),
    )
    features = {name: space.transform(bank) for name, (space, _) in ways.items()}
    labels = sorted({clip.label for clip in train})
    print('| examples | classes | way | frames % | F1@50 |\n|---|---|---|---|---|')
    for shots in args.shots:
        for share in (1.0, 2 / 3):
            for name, (space, find) in ways.items():
                right = frames = 0
                counts = np.zeros(3)
                recognizer = FewShotRecognizer(encode, 'nearest-example')
                recognizer.space = space
                for number, (clip, truth) in enumerate(cases):
                    order = np.random.default_rng(number // 10).permutation(len(labels))
                    known = sorted(labels[n] for n in order[: round(share * len(labels))])
                    draw(recognizer, train, features[name], known, shots, number // 10)
                    truth = np.where(np.isin(truth, [*known, UNCOUNTED]), truth, NONE)
                    found = np.full(len(truth), NONE, object)
                    for one in find(recognizer, clip):
                        found[one['begin'] : one['end']] = one['label']
                    counted = truth != UNCOUNTED
                    right += (found == truth)[counted].sum()
                    frames += counted.sum()
                    counts += match_segments(found[counted], truth[counted])
                f1 = 200 * counts[0] / (2 * counts[0] + counts[1] + counts[2])
                row = f'{shots} | {len(known)} of {len(labels)} | {name}'
                print(f'| {row} | {100 * right / frames:.1f} | {f1:.1f} |', flush=True)


if __name__ == '__main__':
    main()
