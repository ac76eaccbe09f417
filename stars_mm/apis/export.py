"""Writes a deployed encoder or recognizer as ONNX, or as a program of ``torch.export``."""

import contextlib
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import nn

from stars_mm.utils.atomic import written_whole

OPSET = 18  # onnxruntime runs it since 1.14
SUFFIXES = ('.onnx', '.pt2')
#: Of what :class:`DeployedEncoder` takes, for those who have the file alone.
INPUT_NOTE = (
    'keypoint: float32 (N clips, M persons, T frames, V joints, C coordinates), any N, M and T; '
    'raw coordinates in `unit`, y vertical, joints in the order of `joints`. Zero where a person '
    "is absent. In a batch of clips of several lengths, NaN in the frames after a clip's end."
)
_MISSING = "{} is not installed, and this needs it: pip install 'stars_mm[export]'"


def export_model(
    module: nn.Module,
    out: str | Path,
    num_joints: int,
    coordinates: int = 3,
    metadata: Mapping[str, object] | None = None,
    int8: bool = False,
) -> list[Path]:
    """Write a module as a file that runs without this package.

    Args:
        module (nn.Module): A :class:`DeployedEncoder`, with the names of its ``outputs``.
        out (str or Path): The file: ``.onnx``, or ``.pt2`` for ``torch.export.load``.
        num_joints (int): Joints V of the clips that go in.
        coordinates (int): Their coordinates C.
        metadata (Mapping): What else the file says, by name; what is no text is written as JSON.
            It goes into ``metadata_props`` of an ONNX file, into the extra file ``metadata.json``
            of a ``.pt2``.
        int8 (bool): Also write ``NAME.int8.onnx``, its linear layers in 8 bits.

    Returns:
        list[Path]: The files.

    Raises:
        ValueError: If the suffix is neither of the two, or there is nothing to quantize.
        ImportError: If the packages that write ONNX files are not installed.
    """
    out = Path(out)
    if out.suffix not in SUFFIXES:
        raise ValueError(f'{out}: is written as one of {SUFFIXES}. Name the file so.')
    if int8 and out.suffix != '.onnx':
        raise ValueError(f'{out}: 8 bits are for .onnx. Leave out int8, or name the file so.')
    texts = {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in dict(metadata or {}, input=INPUT_NOTE, outputs=module.outputs).items()
    }
    example = torch.randn(3, 2, 40, num_joints, coordinates)
    dims = {0: torch.export.Dim('N', min=1), 1: torch.export.Dim('M', min=1)}
    dims[2] = torch.export.Dim('T', min=1)
    with torch.no_grad(), _quiet():
        program = torch.export.export(module, (example,), dynamic_shapes=(dims,), strict=False)
        if out.suffix == '.pt2':
            extra = {'metadata.json': json.dumps(texts, ensure_ascii=False)}
            with written_whole(out) as partial, open(partial, 'wb') as file:
                torch.export.save(program, file, extra_files=extra)
            return [out]
        return _write_onnx(program, out, dims, module.outputs, texts, int8)


def _write_onnx(program, out, dims, outputs, texts, int8) -> list[Path]:
    for package in ('onnx', 'onnxscript', *['onnxruntime'] * int8):
        if importlib.util.find_spec(package) is None:
            raise ImportError(_MISSING.format(package))
    import onnx

    graph = torch.onnx.export(
        program,
        dynamo=True,
        input_names=['keypoint'],
        output_names=outputs,
        opset_version=OPSET,
        dynamic_shapes=(dims,),
        verbose=False,
    )
    model = graph.model_proto
    linear = linear_layers(model)
    for part in [model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input]:
        part.ClearField('metadata_props')  # the exporter's notes, such as lines of source files
    model.producer_name, model.doc_string = 'stars_mm', texts.get('about', '')
    onnx.helper.set_model_props(model, texts)
    onnx.checker.check_model(model, full_check=True)
    with written_whole(out) as partial:
        partial.write_bytes(model.SerializeToString())
    if not int8:
        return [out]
    return [out, quantize(out, linear, texts)]


def linear_layers(model) -> list[str]:
    """Names of the nodes of a graph, as the exporter leaves it, that are the encoder's linear
    layers."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == 'MatMul'
        and node.input[1] in constants
        and any('backbone' in note.value for note in node.metadata_props)
    ]


def quantize(path: Path, linear: list[str], texts: Mapping[str, str]) -> Path:
    """Write ``NAME.int8.onnx`` of an ONNX file: weights of linear layers in 8 bits, and what goes
    into them, by its own range each time."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    if not linear:
        raise ValueError(f'{path}: its encoder has no linear layers that 8 bits could hold.')
    out = path.with_suffix('.int8.onnx')
    with written_whole(out) as partial:
        quantize_dynamic(
            path, partial, nodes_to_quantize=linear, weight_type=QuantType.QInt8, per_channel=True
        )
        model = onnx.load(partial)
        onnx.helper.set_model_props(model, dict(texts, quantized='int8, linear layers'))
        onnx.checker.check_model(model)
        partial.write_bytes(model.SerializeToString())
    return out


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' warnings of their own insides."""
    loggers = [logging.getLogger(name) for name in ('', 'torch.onnx')]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels):
                logger.setLevel(level)
