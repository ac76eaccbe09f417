"""Writes an encoder or a recognizer with all that is done to a clip before it, as ONNX or as a
program of ``torch.export``."""

import contextlib
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from stars_mm.apis.deployed_encoder import DeployedEncoder
from stars_mm.apis.deployed_recognizer import DeployedRecognizer
from stars_mm.apis.encoder import PackedEncoder
from stars_mm.apis.few_shot_recognizer import FewShotRecognizer
from stars_mm.preparation.layouts import SkeletonLayout, get_layout
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.shipped_encoders import LICENSES
from stars_mm.version import __version__

OPSET = 18  # onnxruntime runs it since 1.14
SUFFIXES = ('.onnx', '.pt2')
#: What goes in, for those who have the file alone.
INPUT = (
    'keypoint: float32 (N clips, M persons, T frames, V joints, C coordinates), any N, M and T; '
    'raw coordinates, y vertical, joints and unit as in `layout`. Zero where a person is absent. '
    "Where clips of several lengths are in a batch, NaN in the frames after a clip's end."
)
#: What comes out, by name.
OUTPUTS = dict(
    feature='float32 (N, C): the sequence feature, the mean of all tokens',
    joints='float32 (N, V, C): a vector a joint of the encoder, which tells which of them moved',
    label='int64 (N,): number of the class with the highest score, in the order of `classes`',
    scores='float32 (N, classes): at most about 1',
    similarity='float32 (N,): cosine to the nearest example',
    known='bool (N,): whether `similarity` reaches `threshold`; else it is none of the classes',
)


def export(
    model: str | Path | PackedEncoder | FewShotRecognizer,
    out: str | Path,
    checkpoint: str | Path | None = None,
    layout: str | dict | SkeletonLayout | None = None,
    coordinates: int | None = None,
    int8: bool = False,
) -> list[Path]:
    """Write an encoder or a recognizer as a file that runs without this package.

    Args:
        model (str, PackedEncoder or FewShotRecognizer): What ``stars-mm learn`` wrote, ``.npz``; or
            an encoder: ``stars://NAME``, a name of ``model-index.yml``, or a config, whose weights
            ``checkpoint`` names.
        out (str or Path): The file: ``.onnx``, or ``.pt2`` for ``torch.export.load``.
        checkpoint (str, optional): Weights of a config's model.
        layout (str, dict or SkeletonLayout, optional): Joints and unit of the coordinates that are
            to go in; by default those of the examples, or those that the encoder itself takes.
        coordinates (int, optional): Numbers of a joint, 2 or 3; by default 2 for a layout in
            pixels.
        int8 (bool): Also write ``NAME.int8.onnx``, the encoder's linear layers in 8 bits.

    Returns:
        list[Path]: The files. What goes in and comes out stands in ``metadata_props`` of an ONNX
        file, in the extra file ``metadata.json`` of a ``.pt2``.

    Raises:
        ValueError, FileNotFoundError: Says which name, file or transform does not serve.
        ImportError: If the packages that write ONNX files are not installed.
    """
    out = Path(out)
    if out.suffix not in SUFFIXES:
        raise ValueError(f'{out}: is written as one of {SUFFIXES}. Name the file so.')
    if int8 and out.suffix != '.onnx':
        raise ValueError(f'{out}: 8 bits are for .onnx. Leave out int8, or name the file so.')
    if out.suffix == '.onnx':
        for package in ('onnx', 'onnxscript', *['onnxruntime'] * int8):
            if importlib.util.find_spec(package) is None:
                way = "pip install 'stars_mm[export]'"
                raise ImportError(f'{package} is not installed, and ONNX files need it: {way}')
    module, metadata = deploy(model, checkpoint, layout, coordinates)
    return write_program(module, out, metadata, int8)


def deploy(
    model: str | Path | PackedEncoder | FewShotRecognizer,
    checkpoint: str | Path | None = None,
    layout: str | dict | SkeletonLayout | None = None,
    coordinates: int | None = None,
) -> tuple[DeployedEncoder, dict[str, str]]:
    """The module that :func:`export` writes, and what the file says of it."""
    if isinstance(model, (str, Path)):
        if str(model).endswith('.npz'):
            model = FewShotRecognizer.load(model, device='cpu')
        else:
            model = PackedEncoder.load(model, checkpoint)
    if isinstance(model, FewShotRecognizer):
        learned, encoder = model, model.encode.encoder
    else:
        learned, encoder = None, model
    layout = layout or (learned and learned.layout) or encoder.layout
    if layout is None:
        raise ValueError(
            f'{encoder.name}: does not say what its joints are. Give the layout of its clips.'
        )
    layout = get_layout(layout)
    module = (
        DeployedRecognizer(learned, layout, coordinates)
        if learned
        else DeployedEncoder(encoder, layout, coordinates)
    )
    about: dict[str, Any] = dict(
        written_by=f'stars_mm {__version__}',
        encoder=encoder.name,
        input=INPUT,
        layout=layout.to_dict(),
        outputs={name: OUTPUTS[name] for name in module.outputs},
        pipeline=encoder.pipeline,
    )
    if encoder.name in LICENSES:
        about['license'] = LICENSES[encoder.name]
    if learned:
        about.update(classes=learned.classes, threshold=learned.threshold)
    return module, {key: _text(value) for key, value in about.items()}


def write_program(
    module: DeployedEncoder, out: Path, metadata: dict[str, str], int8: bool = False
) -> list[Path]:
    """Write a module, and what is said of it, to ``.onnx`` or ``.pt2``; the files that there are
    then."""
    example = torch.randn(3, 2, 40, module.layout.num_joints, module.coordinates)
    dims = {axis: torch.export.Dim(name, min=1, max=1 << 31) for axis, name in enumerate('NMT')}
    with torch.no_grad(), _quiet():
        program = torch.export.export(module, (example,), dynamic_shapes=(dims,), strict=False)
        if out.suffix == '.pt2':
            with written_whole(out) as partial, open(partial, 'wb') as file:
                torch.export.save(program, file, extra_files={'metadata.json': _text(metadata)})
            return [out]
        graph: Any = torch.onnx.export(
            program,
            dynamo=True,
            input_names=['keypoint'],
            output_names=module.outputs,
            opset_version=OPSET,
            dynamic_shapes=(dims,),
            verbose=False,
        )
        return _write_onnx(graph.model_proto, out, metadata, int8)


def _write_onnx(model: Any, out: Path, metadata: dict[str, str], int8: bool) -> list[Path]:
    import onnx

    constants = {tensor.name for tensor in model.graph.initializer}
    linear = [
        node.name
        for node in model.graph.node
        if node.op_type == 'MatMul'
        and node.input[1] in constants
        and any('backbone' in note.value for note in node.metadata_props)
    ]
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input):
        part.ClearField('metadata_props')  # the exporter's notes, such as lines of source files
    model.producer_name, model.producer_version = 'stars_mm', __version__
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    with written_whole(out) as partial:
        partial.write_bytes(model.SerializeToString())
    return [out, _quantize(out, linear, metadata)] if int8 else [out]


def _quantize(path: Path, linear: list[str], metadata: dict[str, str]) -> Path:
    """Write ``NAME.int8.onnx``: the weights of the linear layers in 8 bits, and what goes into
    them, by its own range each time."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    if not linear:
        raise ValueError(
            f'{path}: its encoder has no linear layers that 8 bits could hold. torch 2.6 writes '
            'none; a later one does.'
        )
    out = path.with_suffix('.int8.onnx')
    with written_whole(out) as partial:
        quantize_dynamic(
            path, partial, nodes_to_quantize=linear, weight_type=QuantType.QInt8, per_channel=True
        )
        model = onnx.load(partial)
        onnx.helper.set_model_props(model, dict(metadata, precision='linear layers in 8 bits'))
        onnx.checker.check_model(model)
        partial.write_bytes(model.SerializeToString())
    return out


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say of their own insides."""
    disabled = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)
