"""mmaction2's PoseDataset for files and clips that nobody has looked at."""

import logging
import os.path as osp
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmaction.datasets import PoseDataset
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.dataset import force_full_init
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from stars_mm.datasets.clip_cache import open_clip_store
from stars_mm.datasets.clip_selection import check_class_list, select_classes, select_subset
from stars_mm.datasets.clip_store import ClipStore
from stars_mm.preparation.annotation_file import select_split
from stars_mm.preparation.clip_faults import ClipSizes, check_clips, check_labels
from stars_mm.preparation.inspection.faults import class_list
from stars_mm.preparation.layouts import SkeletonLayout, stored_layout

#: The entry of ``data_list`` that says which clip of the file it is.
_NUMBER = '_number_in_file'


class EpochSeed:
    """Seeds the generators from (seed, epoch, sample index).

    A data loader's workers each have their own generators, so what a sample gets depends on how
    many workers there are and what they did before. The epoch lies in shared memory, because
    persistent workers hold a copy of the data set that was made before the first epoch.
    """

    def __init__(self) -> None:
        # whether it has been set, epoch, seed
        self._state = torch.zeros(3, dtype=torch.int64).share_memory_()

    def __deepcopy__(self, memo: dict) -> 'EpochSeed':
        other = EpochSeed()
        other._state.copy_(self._state)
        return other

    def set(self, epoch: int, seed: int) -> None:
        """Starts an epoch, in this process and in the workers it started."""
        if epoch < 0 or seed < 0:
            raise ValueError(
                f'set_epoch needs numbers of 0 or more, and epoch={epoch}, seed={seed}.'
            )
        self._state.copy_(torch.tensor([1, epoch, seed]))

    @contextmanager
    def sample(self, index: int) -> Iterator[None]:
        """Seeds ``numpy.random``, ``random`` and torch for one sample, once :meth:`set` was called.

        In the main process, the generators go on afterwards as if nothing had happened: the model
        and the hooks draw from them too.
        """
        is_set, epoch, seed = self._state.tolist()
        if not is_set:
            yield
            return
        in_worker = get_worker_info() is not None
        if not in_worker:
            states = np.random.get_state(), random.getstate(), torch.get_rng_state()
        words = np.random.SeedSequence(seed, spawn_key=(epoch, index)).generate_state(4)
        np.random.seed(words)
        random.seed(words.tobytes())
        torch.default_generator.manual_seed(int(words[0]))
        try:
            yield
        finally:
            if not in_worker:
                np.random.set_state(states[0])
                random.setstate(states[1])
                torch.set_rng_state(states[2])


@DATASETS.register_module()
class SkeletonDataset(PoseDataset):
    """Skeleton clips, checked when they are loaded. A clip may have no label.

    It takes mmaction2's annotation file and arguments, and :class:`mmaction.datasets.PoseDataset`
    works in its place. What it adds: the file cannot run code, every clip is checked before
    training starts, random transforms can be tied to the epoch (:meth:`set_epoch`), and the
    coordinates stay on the disk: when the file is opened for the first time, a clip store is made
    of it, from which all workers and ranks, and later runs, read the clips that they need
    (:mod:`.clip_cache`). Where the file has ``class_names``, they are ``metainfo['classes']``.

    Args:
        ann_file (str): The annotation file, a ``.pkl`` in mmaction2's format (or, without
            ``split``, the list of annotations alone) or an ``.npz`` of
            :mod:`~stars_mm.preparation.flat_arrays`.
        pipeline (list[dict | callable]): The transforms of a clip.
        split (str, optional): The split to use, such as 'xsub_train'. None
            takes every clip of the file.
        invalid (str): What to do about a clip that no training can use (a wrong shape, no frame,
            zeros throughout, NaN, no annotation): 'error' stops at the first, 'drop' leaves it out
            and logs why. A label outside ``num_classes`` is always an error.
        subset (str, optional): An index file, one name of a clip a line: the others of the split
            are left out. ``tools/data/draw_subset.py`` draws some.
        labels (Sequence[int | str], optional): Only clips of these classes are kept, and keep their
            labels: nothing is numbered anew, so ``num_classes`` stays that of the file. A string
            selects by the clip's name: 'A061' takes NTU RGB+D's 61st action.
        **kwargs: The other arguments of ``PoseDataset``: ``num_classes``,
            ``multi_class``, ``test_mode``, ``indices``, ``data_root``, ….

    Raises:
        FileNotFoundError: If there is no such file; says how to make it.
        ValueError: Names the file, the clip, the key and the value.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict | Callable],
        split: str | None = None,
        invalid: str = 'error',
        subset: str | None = None,
        labels: Sequence[int | str] | None = None,
        **kwargs: Any,
    ) -> None:
        if invalid not in ('error', 'drop'):
            raise ValueError(f"invalid={invalid!r}: choose 'error' or 'drop'.")
        if 'skeleton' in (kwargs.get('data_prefix') or {}):
            raise ValueError(
                f'data_prefix={kwargs["data_prefix"]}: SkeletonDataset reads the keypoints '
                'from ann_file. Use PoseDataset for clips in a file each.'
            )
        if labels is not None:
            check_class_list(labels)
            if kwargs.get('multi_class'):
                raise ValueError(
                    f'labels={labels!r} beside multi_class=True: clips are '
                    'selected by their one class. Leave one of the two out.'
                )
        self.invalid, self.subset, self.labels = invalid, subset, labels
        self._epoch_seed = EpochSeed()
        self._sizes: ClipSizes | None = None
        self._store: ClipStore | None = None
        self._layout: SkeletonLayout | None = None
        # Built here, the transforms are found whatever the default scope.
        pipeline = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        super().__init__(ann_file, pipeline=pipeline, split=split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Opens the annotation file and checks the clips of the split: the sound ones, in the
        order of the file, without their arrays."""
        self._store = open_clip_store(self.ann_file)
        try:
            self._layout = stored_layout(self._store.extra, self.ann_file)
        except ValueError as error:
            print_log(f'{error} It is not used.', 'current', logging.WARNING)
        classes = class_list(self._store.extra.get('class_names'))
        if classes is not None:
            self._metainfo.setdefault('classes', classes)
        clips, splits = self._store.read_about()
        for number, clip in enumerate(clips):
            clip[_NUMBER] = number
            if clip.get('label', 0) is None:
                del clip['label']  # a pipeline packs what is there
            elif isinstance(clip.get('label'), np.integer):
                clip['label'] = int(clip['label'])  # mmaction2 packs no other
        clips, missing = select_split(clips, splits, self.split, self.ann_file)
        source = f'split {self.split!r} of {self.ann_file}'
        if self.subset is not None:
            path = osp.join(self.data_root or '', self.subset)
            clips, missing = select_subset(clips, missing, path, source)
        if self.labels is not None:
            clips = select_classes(clips, self.labels, source)
        if self.num_classes is not None:
            check_labels(clips, self.num_classes, self.multi_class, self.ann_file)
        clips = self._check(clips, missing)
        if 'video' in self.data_prefix:
            for clip in clips:
                for key in {'filename', 'frame_dir'} & clip.keys():
                    clip[key] = osp.join(self.data_prefix['video'], clip[key])
        return clips

    def _check(self, clips: list[dict], missing: list[str]) -> list[dict]:
        """The sound clips."""
        faults = self._store.index['faults']
        known = {}
        for position, clip in enumerate(clips):
            clip.update(self._store[clip[_NUMBER]])
            if str(clip[_NUMBER]) in faults:
                known[position] = faults[str(clip[_NUMBER])]
        sound, self._sizes = check_clips(clips, missing, self.invalid, self.ann_file, known)
        for clip in sound:
            for key in self._store[clip[_NUMBER]]:
                del clip[key]
        return sound

    def get_data_info(self, idx: int) -> dict:
        """The annotation at ``idx``, with arrays of its own, and the ``layout`` of its joints where
        the file says it."""
        info = super().get_data_info(idx)
        info.update(self._store.read(info.pop(_NUMBER)))
        if self._layout is not None:
            info['layout'] = self._layout
        return info

    def get_clip_info(self, idx: int) -> dict:
        """What :meth:`get_data_info` gives but the arrays, such as name and label, quickly."""
        info = super().get_data_info(idx)
        del info[_NUMBER]
        return info

    @property
    @force_full_init
    def layout(self) -> SkeletonLayout | None:
        """SkeletonLayout or None: What the file says its joints are."""
        return self._layout

    @property
    @force_full_init
    def num_joints(self) -> int:
        """int: V of the clips."""
        return self._sizes.num_joints

    @property
    @force_full_init
    def in_channels(self) -> int:
        """int: C of the clips as the model sees them, scores included."""
        return self._sizes.in_channels

    @property
    @force_full_init
    def max_persons(self) -> int:
        """int: The largest M of the clips."""
        return self._sizes.max_persons

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Ties every random transform to (seed, epoch, sample index), the first two 0 or more.

        From now on a sample is the same whatever the number of workers, and
        whether or not they outlive an epoch. Call it before each epoch, in
        the process that iterates over the data loader.
        """
        self._epoch_seed.set(epoch, seed)

    def __getitem__(self, idx: int) -> Any:
        """The clip at ``idx`` after the pipeline, seeded for the epoch."""
        if not -len(self) <= idx < len(self):
            raise IndexError(f'clip {idx} of {len(self)} in {self.ann_file}')
        idx %= len(self)
        with self._epoch_seed.sample(idx):
            return super().__getitem__(idx)
