"""Several random views of one clip, for contrastive learning."""

import copy
from collections.abc import Callable, Sequence

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class MultiView(BaseTransform):
    """Transforms copies of a clip, each with its own random draw.

    The views follow each other in time, and ``num_clips`` says how many there are, so that
    mmaction2's ``FormatGCNInput`` puts them on the clips axis: (num_views, M, T, V, C).

    Required Keys: keypoint, keypoint_score (optional)
    Modified Keys: keypoint, keypoint_score, total_frames
    Added Keys: num_clips; and what ``transforms`` modify and add, as the first view has it

    Args:
        num_views (int): Copies to make.
        transforms (Sequence[dict | callable]): What is done to each. All views must come out with
            the same number of frames, so one of them is usually ``TemporalCropResize``.
    """

    def __init__(self, num_views: int = 2, transforms: Sequence[dict | Callable] = ()) -> None:
        if not isinstance(num_views, int) or num_views < 1:
            raise ValueError(f'num_views={num_views!r}: give a number of views, 1 or more.')
        if isinstance(transforms, dict) or not all(
            isinstance(step, dict) or callable(step) for step in transforms
        ):
            raise ValueError(
                f'transforms={transforms!r}: give a list of transforms or of their configs.'
            )
        self.num_views = num_views
        self.transforms = [
            TRANSFORMS.build(step) if isinstance(step, dict) else step for step in transforms
        ]

    def transform(self, results: dict) -> dict | None:
        """Makes the views, ``keypoint`` (M, num_views·T′, V, C).

        T′ are the frames of a view. None where a transform refuses the clip,
        which makes the data set draw another one.
        """
        views: list[dict] = []
        for _ in range(self.num_views):
            view = copy.deepcopy(results)
            for step in self.transforms:
                view = step(view)
                if view is None:
                    return None
            views.append(view)
        shapes = {view['keypoint'].shape for view in views}
        if len(shapes) > 1:
            raise ValueError(
                f'{self}: clip {results.get("frame_dir")!r} has views of different shapes '
                f'(M, T, V, C) {sorted(shapes)}. Put TemporalCropResize among the transforms.'
            )
        merged = views[0]
        for key in ('keypoint', 'keypoint_score'):
            if key in merged:
                merged[key] = np.concatenate([view[key] for view in views], axis=1)
        merged['total_frames'] = merged['keypoint'].shape[1]
        # A view may itself consist of several clips.
        merged['num_clips'] = self.num_views * merged.get('num_clips', 1)
        return merged

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(num_views={self.num_views}, transforms={self.transforms})'
        )
