from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.device import get_device
from torch import Tensor

from stars_mm.apis.encoder import PackedEncoder
from stars_mm.apis.inputs import InputClip, ReadOptions, read_clips
from stars_mm.datasets.transforms import MotionTimeWarp
from stars_mm.evaluation.functional.feature_space import CLIP_PARTS, ENCODER_PARTS
from stars_mm.evaluation.part_features import PartFeatures
from stars_mm.preparation.layouts import SkeletonLayout, get_layout
from stars_mm.utils.progress import progress
from stars_mm.utils.time_warp import warp_time


class SkeletonInferencer:
    """Features of recordings by a frozen encoder, whatever form the recordings have.

    ::

        encode = SkeletonInferencer()
        features = encode('recordings')              # (N, C), a row a clip
        features = encode(keypoints, layout='ntu-25')  # an array (M, T, V, C)

    Args:
        model (str or PackedEncoder): A config, whose weights ``checkpoint`` names; a name of
            ``model-index.yml``; or ``stars://NAME``, an encoder of the package.
        checkpoint (str, optional): Weights of the config's model.
        device (str, optional): Where to compute; a GPU where there is one.
        batch_size (int): Clips at a time.
        **options: What is known of all inputs: ``layout``, ``reader``, ``split``, ``unit``, ``up``,
            ``channels``; see :class:`stars_mm.apis.inputs.ReadOptions`. Each can be given with a
            call, too.

    Raises:
        ValueError, FileNotFoundError: Says which name or file is wrong, and what to do.
    """

    def __init__(
        self,
        model: str | Path | PackedEncoder = 'stars://common-15',
        checkpoint: str | Path | None = None,
        device: str | None = None,
        batch_size: int = 64,
        **options: Any,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size={batch_size}: give a number of clips, 1 or more.')
        if not isinstance(model, PackedEncoder):
            model = PackedEncoder.load(model, checkpoint)
        self.encoder = model
        self.device = torch.device(device or get_device())
        self.batch_size = batch_size
        self.options = ReadOptions(**options)
        self._first = {}
        for scaled in (False, True):
            self._first[scaled], self._warp, self._last = _pipeline(model, scaled)
        self._model = PartFeatures(CLIP_PARTS + ENCODER_PARTS, model.build()).to(self.device)

    def __call__(self, inputs: Any, **options: Any) -> np.ndarray:
        """The sequence feature of every clip, (N, C) float32: the mean of its tokens.

        Args:
            inputs: A recording's file, a folder of them, an annotation file, an array (T, V, C) or
                (M, T, V, C), or an iterable of these; see :func:`stars_mm.apis.inputs.read_clips`.
            **options: As in the constructor.
        """
        return self.parts(inputs, ['published'], **options)['published'].numpy()

    def read(self, inputs: Any, **options: Any) -> Iterator[InputClip]:
        """The clips of inputs, one after another, as they are encoded."""
        return read_clips(inputs, self.read_options(options))

    def parts(
        self, inputs: Any, names: Sequence[str] = ENCODER_PARTS, **options: Any
    ) -> dict[str, Tensor]:
        """What a :class:`FeatureSpace` is made of: the name of each part → (N, …) float32."""
        rows: dict[str, list[Tensor]] = {name: [] for name in names}
        clips = iter(progress(self.read(inputs, **options), what='clips encoded'))
        while batch := list(islice(clips, self.batch_size)):
            for name, part in self.measure(self.prepare_all(batch), names).items():
                rows[name].append(part)
        if not all(rows.values()):
            raise ValueError('There is no clip to encode.')
        return {name: torch.cat(parts) for name, parts in rows.items()}

    def prepare(self, clip: InputClip) -> Tensor:
        """A clip as the encoder takes it, (clips, M, T, V, C) float32; see :meth:`prepare_all`."""
        return self.prepare_all([clip])[0]

    def prepare_all(self, clips: Sequence[InputClip]) -> Tensor:
        """Clips as the encoder takes them, (N, clips, M, T, V, C) float32.

        Raises:
            ValueError: If their joints or coordinates are not those that the encoder takes.
        """
        found = [self._begin(clip) for clip in clips]
        if self._warp is not None:
            warp_together(self._warp, found)
        batch = []
        for clip, made in zip(clips, found):
            for step in self._last:
                made = step(made)
            inputs = torch.from_numpy(made['keypoint']).float()
            V, C = inputs.shape[-2:]
            wanted = (self.encoder.num_joints or V, self.encoder.in_channels)
            if (V, C) != wanted:
                raise ValueError(
                    f'{clip.name}: has {V} joints of {C} numbers, and {self.encoder.name} takes '
                    f'{wanted[0]} of {wanted[1]}.'
                )
            batch.append(inputs)
        return torch.stack(batch)

    def _begin(self, clip: InputClip) -> dict:
        """What the pipeline makes of a clip until its time is redrawn."""
        keypoint, layout = clip.keypoint, clip.layout
        in_metres = layout is None or layout.unit == 'm'
        flat = keypoint.shape[-1] == 2 and self.encoder.in_channels == 3
        # an encoder that maps no joints may have been trained on x, y and confidence
        flat = flat and (clip.score is None or self.encoder.layout is not None)
        if flat:  # an image: y points down
            zero = np.zeros_like(keypoint[..., :1])
            keypoint = np.concatenate([keypoint * np.array([1, -1], np.float32), zero], -1)
        results = dict(
            keypoint=keypoint,
            total_frames=keypoint.shape[1],
            frame_dir=clip.name,
            start_index=0,
            modality='Pose',
        )
        if layout is not None:
            results['layout'] = layout
        if clip.score is not None and self.encoder.in_channels == keypoint.shape[-1] + 1:
            results['keypoint_score'] = clip.score
        for step in self._first[flat or not in_metres]:
            results = step(results)
        return results

    @torch.inference_mode()
    def measure(self, inputs: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Parts of what :meth:`prepare_all` gives: the name of each → (N, …) float32."""
        found = self._model.measure(inputs.to(self.device), names)
        return {name: part.float().cpu() for name, part in found.items()}

    def read_options(self, options: dict) -> ReadOptions:
        """How inputs are read: what is given, else what the constructor was given."""
        given = {key: value for key, value in options.items() if value is not None}
        return ReadOptions(**{**vars(self.options), **given})

    @property
    def layout(self) -> SkeletonLayout | None:
        """SkeletonLayout or None: The joints that clips are mapped to."""
        return None if self.encoder.layout is None else get_layout(self.encoder.layout)


def _pipeline(
    encoder: PackedEncoder, scaled: bool
) -> tuple[list[BaseTransform], MotionTimeWarp | None, list[BaseTransform]]:
    """The encoder's transforms for clips that are in metres, or not: those before the one that
    redraws time, that one, the others."""
    steps = with_size(encoder.pipeline) if scaled else encoder.pipeline
    built = PackedEncoder(encoder.name, encoder.model, steps, {}).build_pipeline().transforms
    places = [n for n, step in enumerate(built) if isinstance(step, MotionTimeWarp)]
    if not places:
        return built, None, []
    return built[: places[0]], built[places[0]], built[places[0] + 1 :]


def warp_together(warp: MotionTimeWarp, found: Sequence[dict]) -> None:
    """What the transform does to each of several clips, those of one shape at once: most of its
    time would go into starting small operations."""
    shapes: dict[tuple, list[dict]] = {}
    for results in found:
        shapes.setdefault(results['keypoint'].shape, []).append(results)
    for shape, alike in shapes.items():
        if shape[1] < 2 or any('keypoint_score' in results for results in alike):
            for results in alike:
                warp(results)
            continue
        clips = torch.from_numpy(np.stack([results['keypoint'] for results in alike]))
        for results, clip in zip(alike, warp_time(clips, warp.share, warp.smoothing)):
            results['keypoint'] = clip.numpy()


def with_size(steps: list[dict]) -> list[dict]:
    """An encoder's transforms for clips that are not in metres: bodies get the size of grown-ups
    once they are centred."""
    places = [n for n, step in enumerate(steps) if step['type'] == 'CenterSkeleton']
    if not places or any(step['type'] == 'ScaleSkeleton' for step in steps):
        return steps
    after = places[0] + 1
    return [*steps[:after], dict(type='ScaleSkeleton', size=0.5), *steps[after:]]
