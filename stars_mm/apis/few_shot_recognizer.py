import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stars_mm.apis.classifiers import CLASSIFIERS, Scores, choose_classifier, nearest_example
from stars_mm.apis.encoder import PackedEncoder
from stars_mm.apis.inferencer import SkeletonInferencer
from stars_mm.apis.inputs import InputClip, draw_examples, labeled
from stars_mm.apis.packed_space import example_space, load_space, pack_space, shipped_space
from stars_mm.apis.rejection import similarity_threshold
from stars_mm.apis.segments import find_segments
from stars_mm.evaluation.functional.feature_space import FeatureSpace
from stars_mm.evaluation.functional.mutual_neighbors import MutualNeighbors
from stars_mm.preparation.layouts import SkeletonLayout
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.input_error import printable, reading
from stars_mm.utils.safe_arrays import load_npz

FORMAT = 'stars_mm recognizer 1'
_MOST_FRAMES = 1_000_000  # of an example
_NEIGHBORS = 3  # examples that a prediction names


class FewShotRecognizer:
    """Recognizes actions by a few examples of each, without training.

    ::

        recognizer = FewShotRecognizer().learn('examples')    # a folder with a folder a class
        recognizer('recording.csv')     # [dict(name=…, label='wave', score=0.93, known=True, …)]
        recognizer.save('actions.npz')

    Args:
        encode (SkeletonInferencer, optional): Gives the features; by default of the encoder that
            ships.
        classifier (str): One of :data:`stars_mm.apis.classifiers.CLASSIFIERS`, or 'auto': the one
            that recognizes most examples when each is left out in turn.
    """

    space: FeatureSpace  #: in which clips are compared
    features: Tensor  #: of the examples in it, (n, K), of unit length
    _neighbors: MutualNeighbors | None  # examples and clips without class, where there are such
    threshold: float  #: least similarity to an example of a clip that is known; may be set

    def __init__(self, encode: SkeletonInferencer | None = None, classifier: str = 'auto') -> None:
        if classifier not in ('auto', *CLASSIFIERS):
            raise ValueError(
                f'classifier={classifier!r}: choose auto or one of {", ".join(CLASSIFIERS)}.'
            )
        self.encode = SkeletonInferencer() if encode is None else encode
        self.asked = classifier
        self.classes: list[str] = []
        self.examples: list[tuple[str, int]] = []  #: name and number of the class of each
        self.frames: list[int] = []  #: of each example
        self.fps: float | None = None  #: frames a second of the examples
        self.unlabeled: Tensor | None = None  #: features of clips without class, (U, K)
        self.accuracy: dict[str, float] = {}  #: of each classifier, examples left out in turn, %
        self._layout: SkeletonLayout | None = None
        self._how: dict[str, str | None] = {'up': 'y', 'channels': None}  # examples were read

    def learn(
        self,
        examples: Any,
        shots: int | None = None,
        seed: int = 0,
        unlabeled: Any = None,
        fps: float | None = None,
        **options: Any,
    ) -> 'FewShotRecognizer':
        """Learn classes from examples, in place of what was known before.

        Args:
            examples: Class → inputs; or a folder with a folder a class, or an annotation file.
            shots (int, optional): So many examples of each class, drawn by the seed.
            seed (int): Of the draw.
            unlabeled: Inputs whose classes nobody knows, such as everything that was recorded so
                far: features are drawn to their mutual neighbors among them and the examples.
            fps (float, optional): Frames a second of the examples, where recordings that are cut
                into segments, or streams, may have others.
            **options: How inputs are read, as in :class:`SkeletonInferencer`.

        Raises:
            ValueError, FileNotFoundError: Names the file or class and says what to do.
        """
        known = labeled(examples, self.encode.read_options(options))
        found = known if shots is None else draw_examples(known, shots, seed)
        clips = [clip for some in found.values() for clip in some]
        others = [] if unlabeled is None else list(self.encode.read(unlabeled, **options))
        self._layout = clips[0].source_layout or clips[0].layout
        how = self.encode.read_options(options)
        self._how = dict(up=how.up, channels=how.channels)
        self.frames, self.fps = _frames(clips), fps
        space = shipped_space(self.encode.encoder)
        if space is None:  # fitted to all that is at hand
            space = example_space()
            bank = [clip for some in known.values() for clip in some] + others
            space.fit(self.encode.parts(bank, space.parts))
        self.space = space
        named = [(clip.name, n) for n, some in enumerate(found.values()) for clip in some]
        more = self.place(others) if others else None
        return self.learn_features(self.place(clips), named, list(found), more)

    def learn_features(
        self,
        features: Tensor,
        examples: Sequence[tuple[str, int]],
        classes: Sequence[str],
        unlabeled: Tensor | None = None,
    ) -> 'FewShotRecognizer':
        """Learn from features that were computed before.

        Args:
            features (Tensor): (n, K) of unit length, in one space.
            examples (Sequence[tuple[str, int]]): Name and number of the class of each.
            classes (Sequence[str]): Their names.
            unlabeled (Tensor, optional): Features of clips without class, (U, K).
        """
        numbers = {number for _, number in examples}
        if len(features) != len(examples) or numbers != set(range(len(classes))):
            raise ValueError(
                f'{len(features)} features, {len(examples)} examples of {len(numbers)} classes and '
                f'{len(classes)} names of classes do not belong together.'
            )
        self.features, self.unlabeled = features, unlabeled
        self.examples, self.classes = list(examples), list(classes)
        return self._fit()

    def add(self, examples: Mapping[str, Any], **options: Any) -> 'FewShotRecognizer':
        """Learn further classes, or further examples of known ones: class → inputs."""
        if not self.classes:
            return self.learn(examples, **options)
        found = labeled(examples, self.reading(options))
        clips = [clip for some in found.values() for clip in some]
        self.classes += [label for label in found if label not in self.classes]
        self.features = torch.cat([self.features, self.place(clips)])
        self.frames += _frames(clips)
        for label, some in found.items():
            self.examples += [(clip.name, self.classes.index(label)) for clip in some]
        return self._fit()

    def remove(self, label: str) -> 'FewShotRecognizer':
        """Forget a class; a ValueError where it is not known or the only one."""
        if label not in self.classes or len(self.classes) == 1:
            known = ', '.join(self.classes) or 'none'
            raise ValueError(f'class {label!r} cannot be removed. Known are {known}.')
        gone = self.classes.index(label)
        kept = [number for number, (_, own) in enumerate(self.examples) if own != gone]
        self.classes.remove(label)
        self.features = self.features[kept]
        self.frames = [self.frames[number] for number in kept] if self.frames else []
        self.examples = [(name, own - (own > gone)) for name, own in self.examples if own != gone]
        return self._fit()

    def __call__(self, inputs: Any, **options: Any) -> list[dict]:
        """What is seen in every clip.

        Args:
            inputs: As of :class:`SkeletonInferencer`.
            **options: How they are read; the layout is that of the examples where none is given
                and the inputs do not say one.

        Returns:
            list[dict]: ``name``; ``label``, the class with the highest score; ``score`` and
            ``scores``, class → score, at most about 1; ``known``, False for none of the classes;
            ``similarity`` to the nearest example, the cosine, which ``known`` goes by;
            ``neighbours``, the nearest examples, as dicts of ``name``, ``label``, ``similarity``.
        """
        self._check_learned()
        clips = list(self.encode.read(inputs, **vars(self.reading(options))))
        found = self.judge(self.place(clips))
        return [dict(name=clip.name, **one) for clip, one in zip(clips, found)]

    def segments(self, inputs: Any, fps: float | None = None, **options: Any) -> list[dict]:
        """What is done when in recordings that show one action after another.

        Windows as long as the examples are compared with them, and those that together explain a
        recording best are its segments; see :mod:`stars_mm.apis.segments`.

        Args:
            inputs: As of :class:`SkeletonInferencer`.
            fps (float, optional): Frames a second of the inputs.
            **options: How they are read, as in :meth:`__call__`.

        Returns:
            list[dict]: ``name`` of the recording; ``begin``, the first frame, and ``end``, that
            after the last; ``begin_time`` and ``end_time``, the same in seconds, where ``fps`` is
            given; ``label``; ``score``, the similarity to the nearest example. What lies between
            the segments is none of the classes.
        """
        self._check_learned()
        clips = self.encode.read(inputs, **vars(self.reading(options)))
        return [
            dict(name=clip.name, **one) for clip in clips for one in find_segments(self, clip, fps)
        ]

    def place(self, clips: Sequence[InputClip]) -> Tensor:
        """Features of clips in :attr:`space`, (N, K) of unit length."""
        return self.space.transform(self.encode.parts(clips, self.space.parts))

    def similarities(self, features: Tensor) -> Tensor:
        """Cosine of features (N, K) in :attr:`space` to the nearest example of every class,
        (N, classes)."""
        compare = nearest_example(self.compared, self.labels, len(self.classes))
        return compare(self._pull(features))

    def judge(self, features: Tensor) -> list[dict]:
        """What :meth:`__call__` says, but the name, of features (N, K) in :attr:`space`."""
        queries = self._pull(features)
        near = queries @ self.compared.t()  # (N, examples)
        found = []
        for scores, row in zip(self.classifier(queries).tolist(), near):
            best = max(range(len(scores)), key=scores.__getitem__)
            similar = row.topk(min(_NEIGHBORS, len(row)))
            neighbours = [
                dict(
                    name=self.examples[place][0],
                    label=self.classes[self.examples[place][1]],
                    similarity=round(value, 4),
                )
                for value, place in zip(similar.values.tolist(), similar.indices.tolist())
            ]
            found.append(
                dict(
                    label=self.classes[best],
                    score=round(scores[best], 4),
                    known=float(row.max()) >= self.threshold,
                    similarity=round(float(row.max()), 4),
                    scores={c: round(s, 4) for c, s in zip(self.classes, scores)},
                    neighbours=neighbours,
                )
            )
        return found

    def summary(self) -> str:
        """What is known, in a few lines."""
        counts = self.labels.bincount(minlength=len(self.classes)).tolist()
        names = list(map(printable, self.classes))
        width = max(map(len, names))
        lines = [f'{name:{width}}  {n} examples' for name, n in zip(names, counts)]
        found = [f'{name} {share:.0f} %' for name, share in self.accuracy.items()]
        by = f' (examples left out in turn: {", ".join(found)})' if found else ''
        lines.append(f'classifier: {self.chosen}{by}')
        lines.append(f'known from a similarity of {self.threshold:.2f} on')
        return '\n'.join(lines)

    @property
    def layout(self) -> SkeletonLayout | None:
        """SkeletonLayout or None: The joints of the examples, in the unit that they came in."""
        return self._layout

    @property
    def labels(self) -> Tensor:
        """Tensor: Number of the class of every example, (n, )."""
        return torch.tensor([number for _, number in self.examples])

    @property
    def compared(self) -> Tensor:
        """Tensor: What a clip is compared with, (n, K). These are :attr:`features`, drawn to their
        mutual neighbors where there are clips without class."""
        if self._neighbors is None:
            return self.features
        return self._neighbors.pulled[: len(self.examples)]

    @property
    def classifier(self) -> Scores:
        """Scores (N, classes) of features (N, K)."""
        return self._classifier

    def save(self, path: str | Path) -> None:
        """Write the recognizer into one file, with the encoder: a ``.npz`` of numbers and text."""
        self._check_learned()
        check_name(path)
        about = dict(
            format=FORMAT,
            classes=self.classes,
            examples=self.examples,
            frames=self.frames,
            fps=self.fps,
            asked=self.asked,
            threshold=self.threshold,
            layout=None if self._layout is None else self._layout.to_dict(),
            how=self._how,
        )
        arrays: dict[str, Any] = dict(
            about=np.array(json.dumps(about)),
            features=self.features.numpy(),
            **self.encode.encoder.to_arrays(),
            **pack_space(self.space),
        )
        if self.unlabeled is not None:
            arrays['unlabeled'] = self.unlabeled.numpy()
        with written_whole(path) as partial, open(partial, 'wb') as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | Path, **kwargs: Any) -> 'FewShotRecognizer':
        """A recognizer of a file, which runs nothing that the file holds.

        Args:
            path (str): What :meth:`save` wrote.
            **kwargs: ``device`` and ``batch_size`` of :class:`SkeletonInferencer`.

        Raises:
            FileNotFoundError: If there is no such file.
            InputError: If it is no recognizer, or not all of one.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f'{path}: there is no such file. stars-mm learn makes one.')
        with reading(path, 'A recognizer is what stars-mm learn writes, whole.'):
            arrays = load_npz(path)
            about = json.loads(str(arrays['about']))
            if about['format'] != FORMAT:
                raise ValueError(f'its format is {about["format"]!r}')
            encoder = PackedEncoder.from_arrays(arrays, str(path))
            found = cls(SkeletonInferencer(encoder, **kwargs), about['asked'])
            found.space = load_space(arrays)
            found.frames = [int(frames) for frames in about['frames']]
            found.fps = about['fps'] and float(about['fps'])
            if about['layout'] is not None:
                found._layout = SkeletonLayout.from_dict(about['layout'])
            found._how = {key: about['how'][key] for key in ('up', 'channels')}
            unlabeled = arrays.get('unlabeled')
            found.learn_features(
                torch.from_numpy(arrays['features']).float(),
                [(str(name), int(number)) for name, number in about['examples']],
                [str(label) for label in about['classes']],
                None if unlabeled is None else torch.from_numpy(unlabeled).float(),
            )
            found.threshold = float(about['threshold'])
            check_whole(found)
            return found

    def _fit(self) -> 'FewShotRecognizer':
        self._neighbors = None
        if self.unlabeled is not None:
            self._neighbors = MutualNeighbors(torch.cat([self.features, self.unlabeled]))
        features, labels = self.compared, self.labels
        name = self.asked
        if name == 'auto':
            name, self.accuracy = choose_classifier(features, labels, len(self.classes))
        self.chosen = name
        self._classifier = CLASSIFIERS[name](features, labels, len(self.classes))
        self.threshold = similarity_threshold(features, labels)
        return self

    def _pull(self, queries: Tensor) -> Tensor:
        """Features as those of the examples are compared."""
        return queries if self._neighbors is None else self._neighbors.pull(queries)

    def reading(self, options: dict) -> Any:
        """How inputs are read: as the examples, with their layout where the inputs do not say one,
        unless something else is said."""
        return self.encode.read_options({**self._how, 'usual_layout': self._layout, **options})

    def _check_learned(self) -> None:
        if not self.classes:
            raise ValueError('The recognizer knows no class yet: call learn(examples) first.')


def check_name(path: str | Path) -> None:
    """Raise a ValueError where a recognizer is not saved under a name."""
    if not str(path).endswith('.npz'):
        raise ValueError(f'{path}: a recognizer is saved as .npz.')


def check_whole(found: FewShotRecognizer) -> None:
    """Raise a ValueError where features do not belong to the space, or a number is none that
    can be."""
    width = sum(whitening.projection.shape[1] for whitening in found.space.whitenings.values())
    for features in (found.features, found.unlabeled):
        if features is None:
            continue
        if features.dim() != 2 or features.shape[1] != width:
            raise ValueError(f'features are {tuple(features.shape)}, and its space gives {width}')
        if not (features.norm(dim=1) <= 1.01).all():
            raise ValueError('features are longer than 1')
    if not np.isfinite(found.threshold) or not 1e-3 <= (found.fps or 1) <= 1e6:
        raise ValueError(f'threshold and frames a second are {[found.threshold, found.fps]}')
    if odd := [frames for frames in found.frames if not 0 < frames <= _MOST_FRAMES]:
        raise ValueError(f'an example has {odd[0]:g} frames')


def _frames(clips: Sequence[InputClip]) -> list[int]:
    return [clip.keypoint.shape[1] for clip in clips]
