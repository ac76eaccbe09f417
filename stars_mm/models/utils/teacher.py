import math

import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseAveragedModel
from torch import Tensor, nn

from stars_mm.models.utils.views import clip_features


class Branch(nn.Module):
    """What a student and its teacher both have: encoder, neck, projector."""

    def __init__(
        self, backbone: nn.Module, projector: nn.Module, neck: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = projector
        self.neck = nn.Identity() if neck is None else neck

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Outputs (N, C) of each view of (N, clips, M, T, V, C)."""
        feats = clip_features(self.backbone, inputs).unbind(dim=1)
        return [self.projector(self.neck(feat)) for feat in feats]


class MomentumTeacher(BaseAveragedModel):
    """Moving average of a student: θ ← m · θ + (1 − m) · θ_student.

    The first update copies the student, so that the teacher starts from whatever weights the
    student was given. Nothing of it receives a gradient; a checkpoint holds all of it.

    Args:
        student (nn.Module): The student.
        momentum (float or tuple[float, float]): Momentum m, or its value at the first iteration and
            that at the last, with half a cosine between. How far the training is, mmengine's
            message hub tells; without a training the first value holds.
    """

    def __init__(self, student: nn.Module, momentum: float | tuple[float, float]) -> None:
        super().__init__(student)
        bounds = (momentum, momentum) if isinstance(momentum, (int, float)) else tuple(momentum)
        if len(bounds) != 2 or not all(0 <= bound <= 1 for bound in bounds):
            raise ValueError(
                f'teacher_momentum={momentum!r} must be a number from 0 to 1, '
                'or a pair of them, those of the first and last iteration.'
            )
        self.start, self.end = bounds

    @property
    def momentum(self) -> float:
        """float: Momentum m of the current iteration."""
        if self.start == self.end:
            return self.start
        hub = MessageHub.get_current_instance()
        max_iters, iteration = hub.get_info('max_iters'), hub.get_info('iter')
        if not max_iters or iteration is None:
            return self.start
        share = min(iteration / max_iters, 1)
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * share)) / 2

    def avg_func(self, averaged_param: Tensor, source_param: Tensor, steps: int) -> None:
        """Move one parameter towards the student's, in place."""
        averaged_param.lerp_(source_param, 1 - self.momentum)

    @torch.no_grad()
    def update(self, student: nn.Module) -> None:
        """Follow the student: its weights slowly, its buffers and which of its layers are in
        training mode, as its forward pass left them, at once."""
        self.update_parameters(student)
        for own, its in zip(self.module.modules(), student.modules()):
            own.training = its.training
