from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stars_mm.apis.deployed_steps import build_steps
from stars_mm.models.data_preprocessors import StreamPreprocessor
from stars_mm.models.utils.views import clip_parts
from stars_mm.preparation.layouts import SkeletonLayout


class DeployedEncoder(nn.Module):
    """Encoder and test pipeline in one: raw coordinates in, features out, by operations that
    ``torch.export`` and ONNX know, for any number of clips, persons and frames.

    Args:
        model (nn.Module): A self-supervised algorithm, see :class:`BaseSkeletonSSL`; its weights
            are shared.
        pipeline (Sequence[dict]): The transforms of its test clips, up to ``FormatGCNInput``.
        layout (SkeletonLayout): The joints of the clips that go in.

    Raises:
        ValueError: If a transform cannot be exported, or the layout cannot be mapped.
    """

    #: Names of what :meth:`forward` gives.
    outputs: tuple[str, ...] = ('feature', 'joints')

    def __init__(
        self, model: nn.Module, pipeline: Sequence[dict], layout: SkeletonLayout
    ) -> None:
        super().__init__()
        self.steps = nn.ModuleList(build_steps(pipeline, layout))
        backbone = model.backbone
        self.backbone = EveryPerson(backbone) if hasattr(backbone, 'encode') else backbone
        stream = model.data_preprocessor
        self.stream = stream if isinstance(stream, StreamPreprocessor) else None
        self.eval()

    def forward(self, keypoint: Tensor) -> tuple[Tensor, ...]:
        """Features of clips of several lengths and numbers of persons.

        Args:
            keypoint (Tensor): Coordinates (N, M, T, V, C), float32, in the unit that the pipeline
                takes, zero where a person is absent, NaN in the frames after a clip's end.

        Returns:
            tuple[Tensor, ...]: The published feature (N, C′) and a vector a joint (N, V′, C′).
        """
        parts = self.parts(self.clips(keypoint))
        return parts['published'], parts['joints']

    def clips(self, keypoint: Tensor) -> Tensor:
        """What the pipeline makes of clips: (N, M, T, V, C) → (N, 1, P, T′, V′, C)."""
        ends = ~keypoint.isnan().flatten(3).all(dim=3).all(dim=1)  # (N, T)
        frame = torch.arange(1, keypoint.shape[2] + 1, device=keypoint.device)
        length = (ends * frame).amax(dim=1).clamp(min=1)
        within = (frame <= length[:, None])[:, None, :, None, None]
        x = torch.where(within, keypoint, 0.0)
        for step in self.steps:
            x, length = step(x, length)
        return x[:, None]

    def parts(self, clips: Tensor) -> dict[str, Tensor]:
        """The encoder's parts of a feature, see :meth:`BaseSkeletonSSL.extract_parts`."""
        return clip_parts(self.backbone, clips if self.stream is None else self.stream.to_stream(clips))


class EveryPerson(nn.Module):
    """A :class:`SkeletonTransformer` that encodes every slot, though two be equal: which they are
    decides sizes, and a graph's are fixed."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, M, C′, T′, V′) of skeletons (N, M, T, V, C)."""
        tokens = self.backbone.encode(x.flatten(0, 1))
        return tokens.view(-1, x.shape[1], *self.backbone.grid_size, tokens.shape[2]).permute(0, 1, 4, 2, 3)
