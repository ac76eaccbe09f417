"""How well actions are recognized by a few examples of each, and unknown ones refused.

    python tools/benchmarks/few_shot_results.py --json few_shot.json \\
        nw-ucla.pkl:xview_train:xview_val utd-mhad.pkl:xsub_train:xsub_val

prints, for each annotation file FILE:TRAIN:TEST and number of examples, the mean over draws of the
accuracy of ``FewShotRecognizer``, and of the same classifier on what needs no encoder. For the
refusal, half of the classes, drawn anew each time, are learned, and the clips of all are shown:
what is refused of the others at the threshold that refuses 5 % of the clips of the known classes,
and by the recognizer's own threshold how many of either. --flat drops the third axis of all clips
first, as a camera that they face would.
"""

import argparse
import json
from dataclasses import replace

import numpy as np
import torch

import stars_mm  # noqa: F401  registers the parts
from stars_mm.apis import FewShotRecognizer, SkeletonInferencer
from stars_mm.apis.inputs import InputClip
from stars_mm.apis.packed_space import shipped_space
from stars_mm.evaluation.functional.feature_space import FeatureSpace
from stars_mm.utils.atomic import write_text

SHOTS = (1, 3, 5, 10)
PARTS = ('positions', 'distances', 'joints', 'raw')


def spaces(encode: SkeletonInferencer, train: dict) -> dict[str, FeatureSpace]:
    """Row → space: the recognizer's; the same without the encoder; clips half-whitened by the data
    set's own training clips."""
    shipped = shipped_space(encode.encoder)
    if shipped is None:
        raise ValueError('--model: no feature space ships with it.')
    geometry = FeatureSpace(('positions', 'distances'))
    geometry.whitenings = {part: shipped.whitenings[part] for part in geometry.parts}
    raw = FeatureSpace(('raw',)).fit(train)
    return {'recognizer': shipped, 'geometry': geometry, 'half-whitened clips': raw}


def draw(labels: np.ndarray, classes: np.ndarray, shots: int, seed: int) -> np.ndarray:
    """Places of so many clips of each class."""
    rng = np.random.default_rng([seed, shots])
    return np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:shots] for c in classes])


def learn(encode: SkeletonInferencer, train: np.ndarray, labels: np.ndarray, places: np.ndarray):
    """A recognizer of some clips, and the numbers of its classes."""
    classes = np.unique(labels[places])
    examples = [(str(n), int(np.searchsorted(classes, labels[n]))) for n in places]
    recognizer = FewShotRecognizer(encode)
    recognizer.learn_features(train[places], examples, [str(c) for c in classes])
    return recognizer, classes


def flatten(clip: InputClip) -> InputClip:
    """A clip as an image shows it, y downwards."""
    return replace(clip, keypoint=clip.keypoint[..., :2] * np.array([1, -1], np.float32))


def measure(
    encode: SkeletonInferencer, file: str, draws: int, flat: bool = False
) -> dict[str, dict]:
    """Row and number of examples → accuracy and refusals in percent, mean over draws."""
    path, *splits = file.rsplit(':', 2)
    roles = [list(encode.read(path, split=split)) for split in splits]
    if flat:
        roles = [[flatten(clip) for clip in clips] for clips in roles]
    y_train, y_test = (np.array([clip.label for clip in clips]) for clips in roles)
    train, test = (encode.parts(clips, PARTS) for clips in roles)
    found: dict[str, dict] = {}
    for row, space in spaces(encode, train).items():
        bank, query = space.transform(train), space.transform(test)
        for shots in SHOTS:
            rows = []
            for seed in range(draws):
                classes = np.unique(y_train)
                recognizer, names = learn(
                    encode, bank, y_train, draw(y_train, classes, shots, seed)
                )
                right = names[recognizer.classifier(query).argmax(1)] == y_test
                half = np.random.default_rng(seed).permutation(classes)[: len(classes) // 2]
                recognizer, names = learn(encode, bank, y_train, draw(y_train, half, shots, seed))
                near = (query @ recognizer.features.t()).amax(1).numpy()
                known = np.isin(y_test, names)
                least = np.quantile(near[known], 0.05)
                own = near < recognizer.threshold
                rows.append(
                    [
                        right.mean(),
                        (near[~known] < least).mean(),
                        own[known].mean(),
                        own[~known].mean(),
                    ]
                )
            mean, std = 100 * np.mean(rows, 0), 100 * np.std(rows, 0)
            keys = ('accuracy', 'refused_at_5', 'false_refusals', 'refused')
            found[f'{row} {shots}'] = {
                key: [round(float(m), 1), round(float(s), 1)] for key, m, s in zip(keys, mean, std)
            }
            print(path, row, shots, found[f'{row} {shots}'], flush=True)
    return found


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('files', nargs='+', metavar='FILE:TRAIN:TEST')
    parser.add_argument('--draws', type=int, default=20)
    parser.add_argument('--flat', action='store_true', help='recordings in 2D')
    parser.add_argument('--json', required=True)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    encode = SkeletonInferencer()
    results = {file: measure(encode, file, args.draws, args.flat) for file in args.files}
    write_text(args.json, json.dumps(results, indent=1) + '\n')


if __name__ == '__main__':
    main()
