import torch
from mmaction.models import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from torch import Tensor

from stars_mm.datasets.collation import PlannedViews, collate_planned_views
from stars_mm.utils.time_warp import warp_time


@MODELS.register_module()
class SkeletonPreprocessor(ActionDataPreprocessor):
    """Collates skeleton clips, and makes the views of those that come with
    views to be made (``PackViews``): centring, cropping, resizing, redrawing
    time, mirroring and turning of the whole batch at once, where the model is.

    In training the data samples stay where they are: one copy for each label
    would take longer than that of the clips.

    Args:
        blending (dict, optional): mmaction2's blending of a batch's clips.
    """

    def __init__(self, blending: dict | None = None) -> None:
        super().__init__(blending=blending)
        self._non_blocking = True  # copies of pinned memory to a GPU go on while the program does

    def forward(self, data: dict, training: bool = False) -> dict:
        """Collate a batch: its ``inputs``, a list of clips (views, M, T, V, C), the tensor of them,
        or :class:`PlannedViews`, become (N, views, M, T, V, C) on the model's device."""
        inputs = data['inputs']
        if isinstance(inputs, PlannedViews) and not isinstance(inputs.frames, Tensor):
            # of lists: collated by mmengine
            inputs = collate_planned_views([PlannedViews(*clip) for clip in zip(*inputs)])
        if not training:
            return super().forward(dict(data, inputs=inputs), training)
        return self.forward_onesample(dict(data, inputs=self.cast_data(inputs)), training)

    def preprocess(
        self,
        inputs: PlannedViews | Tensor | list[Tensor],
        data_samples: SampleList,
        training: bool = False,
    ) -> tuple[Tensor, SampleList]:
        """Make the views, or stack the clips, in single precision."""
        if isinstance(inputs, PlannedViews):
            x = make_views(inputs)
        else:
            x = (inputs if isinstance(inputs, Tensor) else torch.stack(inputs)).float()
        if training and self.blending is not None:
            x, data_samples = self.blending(x, data_samples)
        return x, data_samples


def make_views(batch: PlannedViews) -> Tensor:
    """Make the views (N, views, P, T′, V, C) of N clips, float32, zero where nobody is."""
    with torch.autocast(batch.frames.device.type, enabled=False):
        occupied = (batch.start >= 0)[:, None, :, None]  # (N, 1, P, 1)
        start = batch.start.clamp(min=0)[:, None, :, None]
        present = batch.frames.ne(0).flatten(1).any(1)
        center = batch.center[:, None, None, None, None]

        def at(frame: Tensor) -> Tensor:
            """Centred frames: (N, views, T′) → (N, views, P, T′, V, C)."""
            index = start + frame[:, :, None]
            there = present[index] & occupied
            return torch.where(there[..., None, None], batch.frames[index].float() - center, 0.0)

        before = at(batch.before)
        weight = batch.weight[:, :, None, :, None, None]
        x = before + (at(batch.after) - before) * weight
        if batch.warp_share:
            warped = warp_time(x.flatten(0, 1), batch.warp_share, batch.warp_smoothing)
            x = warped.view(x.shape)
        if batch.joints is not None:
            order = batch.joints[:, :, None, None, :, None].expand(x.shape)
            x = x.gather(-2, order)
        # (N, views, P·T′·V, C) times (N, views, C, C)
        return (x.flatten(2, 4) @ batch.turn.mT).view(x.shape)
