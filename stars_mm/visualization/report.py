"""The report's folder: numbers, pictures and the page that shows them."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from stars_mm.engine.features import FeatureSet
from stars_mm.evaluation.protocols.features import FeatureReader
from stars_mm.evaluation.protocols.results_table import row_title
from stars_mm.evaluation.protocols.trained_stages import TrainedStage
from stars_mm.evaluation.protocols.training_log import read_training_log
from stars_mm.visualization.curves import plot_curves
from stars_mm.visualization.embedding import plot_tsne
from stars_mm.visualization.masked_prediction import (
    MotionDecoder,
    hidden_joint_errors,
    make_masked_clips,
    write_masked_gif,
)
from stars_mm.visualization.report_page import PICTURES, html_report, markdown_report
from stars_mm.visualization.skeleton import spread_over_classes

DRAWN_CLIPS = 3
MEASURED_CLIPS = 32
BASELINES = ('raw', 'raw_motion', 'geometry', 'random')


def publish(
    folder: Path,
    reader: FeatureReader,
    stages: Sequence[TrainedStage],
    results: dict,
    queries: dict[str, FeatureSet],
) -> None:
    """Write a whole report into a folder, or leave the one that is there as it was: of stages in
    the order of training, the content of ``results.json`` (scores by row, and ``meta``), and the
    features of the same test clips by row."""
    folder.mkdir(parents=True, exist_ok=True)
    seed = results['meta']['seed']
    labels = next(iter(queries.values())).labels.numpy()
    names = class_titles(labels, reader.class_names())
    with tempfile.TemporaryDirectory(prefix='.report-', dir=folder.parent) as name:
        partial = Path(name)
        draw_curves(partial / 'curves.png', stages, results)
        panels = {
            f'{row_title(row)}\nkNN {results[row]["knn_top1"]:.1f} %, '
            f'silhouette {results[row]["silhouette"]:.3f}': query.features.numpy()
            for row, query in queries.items()
        }
        plot_tsne(panels, labels, partial / 'tsne.png', names, seed)
        model = stages[0].encoder.build_model(stages[0].cfg)
        if hasattr(model, 'reconstruct'):
            loader = reader.loader('query')
            errors = draw_masked(partial / 'masked.gif', model, loader, labels, names, seed)
            results['meta']['hidden_joints'] = errors
        pictures = [picture for picture in PICTURES if (partial / picture).is_file()]
        texts = {
            'results.md': markdown_report(results),
            'report.html': html_report(results, pictures),
            'results.json': json.dumps(results, indent=2) + '\n',
        }
        for file, text in texts.items():
            (partial / file).write_text(text, encoding='utf-8')
        for file in [*pictures, *texts]:
            os.replace(partial / file, folder / file)
    print_log(f'Report: {folder}', logger='current')


def class_titles(labels: np.ndarray, names: Sequence[str] | None) -> dict[int, str]:
    """What the classes that occur are called; by their numbers where nothing is known."""
    known = dict(enumerate(names or []))
    return {int(label): known.get(int(label), f'class {label}') for label in np.unique(labels)}


def draw_curves(path: Path, stages: Sequence[TrainedStage], results: dict) -> None:
    """Draw ``curves.png``, with the rows that nothing trains to compare with."""
    columns = [
        (row_title(stage.row), read_training_log(stage.cfg.work_dir), stage.iters_per_val_step)
        for stage in stages
    ]
    baselines = [row for row in BASELINES if row in results]
    plot_curves(columns, path, {row_title(row): results[row]['knn_top1'] for row in baselines})


def draw_masked(
    path: Path, model, loader, labels: np.ndarray, names: dict[int, str], seed: int
) -> dict[str, float]:
    """Draw ``masked.gif`` by the trained model of stage 1, of clips of different classes among the
    test clips of a loader; gives :func:`hidden_joint_errors` of 32 of them. The seed is that of the
    choice of clips and of the masks."""
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    chosen = spread_over_classes(order, labels, DRAWN_CLIPS, MEASURED_CLIPS)
    output = _reconstruct(model, loader, chosen, seed)
    decoder = MotionDecoder.of(model)
    errors = hidden_joint_errors(output, decoder)
    persons = len(output['x']) // len(chosen)
    drawn = {key: value[: DRAWN_CLIPS * persons] for key, value in output.items()}
    titles = [names[int(labels[i])] for i in chosen[:DRAWN_CLIPS]]
    write_masked_gif(make_masked_clips(drawn, decoder, titles), path, _caption(errors, decoder))
    return errors


@torch.no_grad()
def _reconstruct(model, loader, chosen: Sequence[int], seed: int) -> dict[str, Tensor]:
    """Output of ``model.reconstruct`` for clips of a data set."""
    batch = loader.collate_fn([loader.dataset[i] for i in chosen])
    inputs = model.data_preprocessor(batch)['inputs'][:, :1]
    Tp, Vp = model.backbone.grid_size
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(len(chosen) * inputs.shape[2], Tp * Vp, generator=generator)
    return model.reconstruct(inputs, noise.to(inputs.device))


def _caption(errors: dict[str, float], decoder: MotionDecoder) -> str:
    if decoder.motion_stride is None:
        how = 'The decoder predicts coordinates.'
    else:
        how = 'Predicted motion is added up from the true position where each token starts.'
    without = 'predictions of 0'
    if decoder.norm_target == 'clip':
        how += '\nIt is scaled by the true scale of its clip.'
    elif decoder.norm_target:
        how += '\nIt is scaled by the true mean and deviation of its patch.'
        without = 'patch mean alone'
    return (
        f'{how} Mean distance of hidden joints from the truth:\n{errors["decoder_cm"]:.2f} cm; '
        f'without the decoder ({without}) {errors["no_decoder_cm"]:.2f} cm; standing still '
        f'{errors["standing_still_cm"]:.2f} cm.'
    )
