"""Times an exported encoder against torch, and says what 8 bits lose.

    python tools/benchmarks/export_latency.py data/skeleton/utd-mhad.pkl

Raw coordinates in, features out, by the same operations: in torch, by onnxruntime, and by
onnxruntime with the linear layers in 8 bits, in turn; also clip by clip with the transforms of a
config. Accuracy is that of the nearest neighbor, the first split being the bank.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from timing import Seconds, alternate, machine, markdown_table

from stars_mm.apis import SkeletonInferencer
from stars_mm.apis.deployed_encoder import DeployedEncoder
from stars_mm.apis.export import export
from stars_mm.apis.inputs import InputClip, ReadOptions, read_clips
from stars_mm.evaluation.functional.knn import knn_accuracy
from stars_mm.utils.atomic import write_text

OUTPUTS = ('feature', 'joints')
#: Of the table → what is timed.
HEADS = {'clip by clip': 'pipeline', 'torch': 'torch', 'onnxruntime': 'onnx', '8 bits': 'int8'}


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('ann_file', help='annotation file')
    add('--splits', nargs=2, default=['xsub_train', 'xsub_val'], help='bank and query')
    add('--model', default='stars://common-15', help='default: %(default)s')
    add('--threads', nargs='+', type=int, default=[1, 2])
    add('--batches', nargs='+', type=int, default=[1, 16], help='clips at a time')
    add('--repeats', type=int, default=30)
    add('--json', type=Path, help='write the rows here')
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    bank, query = (
        list(read_clips(args.ann_file, ReadOptions(split=split))) for split in args.splits
    )
    inferencer = SkeletonInferencer(args.model, device='cpu')
    module = DeployedEncoder(inferencer.encoder, bank[0].layout)
    with tempfile.TemporaryDirectory() as folder:
        path, layout = Path(folder) / 'encoder.onnx', bank[0].layout
        files = export(inferencer.encoder, path, layout=layout, int8=True)
        speed = [
            row
            for threads in args.threads
            for row in time_it(files, inferencer, module, query, threads, args)
        ]
        accuracy = judge_it(files, inferencer, bank, query)
    print(machine(torch.device('cpu')) | dict(onnxruntime=onnxruntime.__version__))
    columns = {'threads': '{threads}', 'clips at a time': '{batch}'}
    for way in ('clock', 'processor'):
        for head, name in HEADS.items():
            columns[f'{head}, {way}'] = f'{{{name}.{way}:.1f}}'
    columns |= {'torch / onnxruntime': '{onnx_ratio:.2f}', 'torch / 8 bits': '{int8_ratio:.2f}'}
    print(markdown_table(speed, columns))
    columns = {'precision': '{name}', 'MB': '{megabytes:.1f}', 'largest difference': '{apart:.1e}'}
    columns |= {f'kNN, {name} (%)': f'{{{name}:.1f}}' for name in OUTPUTS}
    print(markdown_table(accuracy, columns))
    if args.json:
        write_text(args.json, json.dumps(dict(speed=speed, accuracy=accuracy), indent=1) + '\n')


def padded(clips: list[InputClip]) -> np.ndarray:
    """Clips as one batch (N, M, T, V, C), NaN after their ends."""
    M, T, V, C = np.max([clip.keypoint.shape for clip in clips], axis=0)
    batch = np.zeros((len(clips), M, T, V, C), np.float32)
    for slot, clip in zip(batch, clips):
        slot[: len(clip.keypoint), : clip.keypoint.shape[1]] = clip.keypoint
        slot[:, clip.keypoint.shape[1] :] = np.nan
    return batch


def open_session(path: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # waiting threads would take the processor from what is timed next
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return onnxruntime.InferenceSession(path, options)


def time_it(
    files: list[Path],
    inferencer: SkeletonInferencer,
    module: DeployedEncoder,
    clips: list[InputClip],
    threads: int,
    args: argparse.Namespace,
) -> list[dict]:
    """Milliseconds a clip, for each number of clips at a time: the fewest, since other programs
    can only add to them. Ratios are those of the processor's time."""
    torch.set_num_threads(threads)
    sessions = dict(zip(('onnx', 'int8'), (open_session(path, threads) for path in files)))
    rows = []
    for batch in args.batches:
        some = clips[:batch]
        array = padded(some)
        calls: dict[str, Callable] = {
            'pipeline': partial(inferencer, some),
            'torch': partial(torch.inference_mode()(module), torch.from_numpy(array)),
        }
        for name, session in sessions.items():
            calls[name] = partial(session.run, None, {'keypoint': array})
        alternate(calls, 3)  # allocates
        times = alternate(calls, args.repeats)
        row: dict = dict(threads=threads, batch=batch)
        for name, some in times.items():
            row[name] = Seconds(*(1000 * min(one) / batch for one in zip(*some)))
        for name in sessions:
            row[f'{name}_ratio'] = row['torch'].processor / row[name].processor
        rows.append(row)
    return rows


def judge_it(
    files: list[Path], inferencer: SkeletonInferencer, bank: list[InputClip], query: list[InputClip]
) -> list[dict]:
    """Accuracy of the nearest neighbor, and how far features are at most from those of the
    inferencer, which takes clips one by one."""
    wanted = [inferencer.parts(clips, ['published', 'joints']) for clips in (bank, query)]
    parts = dict(feature='published', joints='joints')
    found = {'torch': [{name: own[part] for name, part in parts.items()} for own in wanted]}
    for name, path in zip(('onnx', 'int8'), files):
        session = open_session(path)
        found[name] = [run_all(session, clips) for clips in (bank, query)]
    labels = sorted({clip.label for clip in bank})
    classes = [torch.tensor([labels.index(c.label) for c in clips]) for clips in (bank, query)]
    rows = []
    for name, (own_bank, own_query) in found.items():
        row = {
            part: knn_accuracy(
                own_bank[part].flatten(1), classes[0], own_query[part].flatten(1), classes[1], [1]
            )['top1_k1']
            for part in OUTPUTS
        }
        apart = [(own_query[part] - found['torch'][1][part]).abs().max() for part in OUTPUTS]
        size = {'onnx': files[0], 'int8': files[1]}.get(name)
        megabytes = size.stat().st_size / 1e6 if size else None
        rows.append(dict(row, name=name, apart=float(max(apart)), megabytes=megabytes))
    return rows


def run_all(session: onnxruntime.InferenceSession, clips: list[InputClip]) -> dict:
    """Outputs of all clips, 16 at a time, by name."""
    parts = [
        session.run(OUTPUTS, {'keypoint': padded(clips[start : start + 16])})
        for start in range(0, len(clips), 16)
    ]
    return {name: torch.from_numpy(np.concatenate(one)) for name, one in zip(OUTPUTS, zip(*parts))}


if __name__ == '__main__':
    main()
