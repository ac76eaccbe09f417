import torch
from torch import Tensor, nn

from stars_mm.apis.deployed_steps import RawCoordinatesStep, build_steps
from stars_mm.apis.encoder import PackedEncoder
from stars_mm.apis.inferencer import with_size
from stars_mm.models.data_preprocessors import StreamPreprocessor
from stars_mm.models.utils.views import clip_parts
from stars_mm.preparation.clip_conversion import METRES
from stars_mm.preparation.layouts import SkeletonLayout


class DeployedEncoder(nn.Module):
    """An encoder with all that is done to a clip before it: raw coordinates in, features out, by
    operations that ``torch.export`` and ONNX know, for any number of clips, persons and frames.

    Args:
        encoder (PackedEncoder): Model, weights and pipeline.
        layout (SkeletonLayout): Joints and unit of the coordinates that go in.
        coordinates (int, optional): C of them, 2 or 3; by default 2 for a layout in pixels.

    Raises:
        ValueError: If a transform cannot be exported, or the layout does not serve.
    """

    #: Names of what :meth:`forward` gives.
    outputs: tuple[str, ...] = ('feature', 'joints')

    def __init__(
        self, encoder: PackedEncoder, layout: SkeletonLayout, coordinates: int | None = None
    ) -> None:
        super().__init__()
        self.layout = layout
        self.coordinates = coordinates or (2 if layout.unit == 'px' else 3)
        flat = self.coordinates == 2 and encoder.in_channels == 3
        V = layout.num_joints
        own = V if encoder.num_joints is None else encoder.num_joints
        if (encoder.layout is None and own != V) or (
            encoder.in_channels != (3 if flat else self.coordinates)
        ):
            raise ValueError(
                f'{encoder.name}: takes {own} joints of {encoder.in_channels} numbers; layout '
                f'{layout.name!r} has {V} of {self.coordinates}. Give the layout of its clips.'
            )
        sized = flat or layout.unit not in METRES
        raw = RawCoordinatesStep(METRES.get(layout.unit, 1.0), flat)
        pipeline = with_size(encoder.pipeline) if sized else encoder.pipeline
        self.steps = nn.ModuleList([raw, *build_steps(pipeline, layout)])
        model = encoder.build()
        backbone = model.backbone
        self.backbone = EveryPerson(backbone) if hasattr(backbone, 'encode') else backbone
        stream = model.data_preprocessor
        self.stream = stream if isinstance(stream, StreamPreprocessor) else None
        self.eval()

    def forward(self, keypoint: Tensor) -> tuple[Tensor, ...]:
        """What :attr:`outputs` names.

        Args:
            keypoint (Tensor): Coordinates (N, M, T, V, C), float32, zero where a person is absent,
                NaN in the frames after a clip's end.

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
        x = clips if self.stream is None else self.stream.to_stream(clips)
        return clip_parts(self.backbone, x)


class EveryPerson(nn.Module):
    """A :class:`SkeletonTransformer` that encodes every slot, though two may be equal: which those
    are would decide sizes in the graph."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, M, C′, T′, V′) of skeletons (N, M, T, V, C)."""
        Tp, Vp = self.backbone.grid_size
        tokens = self.backbone.encode(x.flatten(0, 1))  # (N·M, L, C′)
        return tokens.view(x.shape[0], x.shape[1], Tp, Vp, -1).permute(0, 1, 4, 2, 3)
