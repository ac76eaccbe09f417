"""The report of a training: numbers, pictures, and the page that shows them."""

import json
import logging
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor

from stars_mm.engine.features import UNLABELED
from stars_mm.evaluation.functional.class_results import class_title
from stars_mm.evaluation.protocols.features import ROLES, BankAndQuery, FeatureReader
from stars_mm.evaluation.protocols.results_table import row_title
from stars_mm.evaluation.protocols.stage_scores import describe, score_stages
from stars_mm.evaluation.protocols.trained_stages import TrainedStage, find_stages, shown
from stars_mm.evaluation.protocols.training_log import read_training_log
from stars_mm.utils.atomic import naming
from stars_mm.visualization.clip_frames import recorded_clip, skeleton_of
from stars_mm.visualization.curves import plot_curves
from stars_mm.visualization.embedding import map_places, plot_tsne
from stars_mm.visualization.masked_prediction import (
    MaskedClip,
    MotionDecoder,
    hidden_joint_errors,
    make_masked_clips,
    write_masked_gif,
)
from stars_mm.visualization.page_data import (
    Neighborhood,
    clip_data,
    curve_data,
    few_shot_data,
    masked_data,
    movie_data,
    result_data,
    space_data,
)
from stars_mm.visualization.report_page import report_page
from stars_mm.visualization.report_text import markdown_report, stage_sentences, version_sentence
from stars_mm.visualization.skeleton import spread_over_classes

PICTURES = ('curves.png', 'tsne.png', 'masked.gif')
DRAWN_CLIPS = 3
MEASURED_CLIPS = 32
BASELINES = ('raw', 'raw_motion', 'geometry', 'random')


def make_report(
    cfg: Config, work_dir: Path, folder: Path, command: str, seed: int = 0, raw: bool = True
) -> None:
    """Write a whole report into a folder, or leave the one that is there as it was.

    Args:
        cfg (Config): The config of a training as it was trained.
        work_dir (Path): Where the training left its checkpoints and logs.
        folder (Path): Where ``report.html``, ``results.json``, ``results.md`` and the pictures go.
        command (str): The command line that asks for it, to be told.
        seed (int): Of the random encoder, of k-means, t-SNE, the draws and the masks.
        raw (bool): Whether there are rows of raw coordinates, which keep every clip in memory.
    """
    stages = find_stages(cfg, work_dir)
    _warn_of_unfinished(stages)
    reader = FeatureReader(cfg)
    results, features, lost = score_stages(reader, stages, seed, raw)
    for sentence in lost:
        print_log(sentence, logger='current', level=logging.WARNING)
    results['meta'] = dict(
        config=Path(cfg.filename).name,
        work_dir=shown(work_dir),
        lost_to=lost,
        command=command,
        **describe(reader, stages, seed),
    )
    publish(folder, reader, stages, results, features)


def publish(
    folder: Path,
    reader: FeatureReader,
    stages: Sequence[TrainedStage],
    results: dict,
    features: dict[str, BankAndQuery],
) -> None:
    """Write the report of stages in the order of training, of the content of ``results.json``
    (scores by row, and ``meta``), and of the features that are shown by row."""
    folder.mkdir(parents=True, exist_ok=True)
    meta = results['meta']
    seed = meta['seed']
    rows = {row: scores for row, scores in results.items() if row != 'meta'}
    bank, query = (np.array(reader.clips(role).labels) for role in ROLES)
    names = class_titles([*bank, *query], reader.class_names())
    logs = [
        (row_title(stage.row), read_training_log(stage.cfg.work_dir), stage.iters_per_val_step)
        for stage in stages
    ]
    baselines = {row_title(row): rows[row]['knn_top1'] for row in BASELINES if row in rows}
    near = {row: Neighborhood.of(found) for row, found in features.items()}
    places = {
        row: map_places(torch.cat([found[role].features for role in ROLES]).numpy(), seed)
        for row, found in features.items()
    }
    main = near[stages[-1].row]
    data = dict(
        title=f'Results of {Path(meta["config"]).stem}',
        results=result_data(rows, stages),
        lost=meta['lost_to'],
        clips=clip_data(reader, names),
        spaces=[space_data(row, places[row], near[row], names) for row in features],
        space=stages[-1].row,
        movies=movie_data(reader, main.index, main.predicted != query, seed),
        few_shot=few_shot_data(rows),
        curves=curve_data(logs),
        notes=[meta['protocol'], stage_sentences(meta), version_sentence(meta)],
        command=meta['command'],
    )
    partial_folder = tempfile.TemporaryDirectory(prefix='.report-', dir=folder.parent)
    with naming(folder), partial_folder as name:
        partial = Path(name)
        plot_curves(logs, partial / 'curves.png', baselines)
        encoders = ['random', *(stage.row for stage in stages)]
        panels = {_heading(row, rows.get(row)): places[row][len(bank) :] for row in encoders}
        asked = {label: names.get(label, 'no label') for label in np.unique(query).tolist()}
        plot_tsne(panels, query, partial / 'tsne.png', asked)
        model = stages[0].encoder.build_model(stages[0].cfg)
        if hasattr(model, 'reconstruct'):
            clips, errors, caption = masked_clips(model, reader, query, names, seed)
            write_masked_gif(clips, partial / 'masked.gif', caption)
            meta['hidden_joints'] = errors
            layout = recorded_clip(reader.loader('query').dataset, 0)[1]
            skeleton = skeleton_of(clips[0].true.shape[2], layout)
            data['masked'] = dict(masked_data(clips), skeleton=skeleton, caption=caption)
        texts = {
            'results.md': markdown_report(results),
            'report.html': report_page(data['title'], data),
            'results.json': json.dumps(results, indent=2) + '\n',
        }
        for file, text in texts.items():
            (partial / file).write_text(text, encoding='utf-8')
        for file in [*PICTURES, *texts]:
            if (partial / file).is_file():
                os.replace(partial / file, folder / file)
    print_log(f'Report: {folder / "report.html"}', logger='current')


def _heading(row: str, scores: dict[str, float] | None) -> str:
    parts = []
    if scores:
        parts = [f'kNN {scores["knn_top1"]:.1f} %']
        parts += [f'silhouette {scores["silhouette"]:.3f}'] if 'silhouette' in scores else []
    return '\n'.join([row_title(row), ', '.join(parts)])


def class_titles(labels: Iterable[int], names: Sequence[str] | None) -> dict[int, str]:
    """What the classes that occur are called, in the order of their numbers."""
    return {label: class_title(label, names) for label in sorted({*map(int, labels)} - {UNLABELED})}


def masked_clips(
    model, reader: FeatureReader, labels: np.ndarray, names: dict[int, str], seed: int
) -> tuple[list[MaskedClip], dict[str, float], str]:
    """Test clips of different classes as the trained model of stage 1 predicts them; the
    :func:`hidden_joint_errors` of 32; and these in words. The seed is that of the choice of clips
    and of the masks."""
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    chosen = spread_over_classes(order, labels, DRAWN_CLIPS, MEASURED_CLIPS)
    output = _reconstruct(model, reader.loader('query'), chosen, seed)
    decoder = MotionDecoder.of(model)
    errors = hidden_joint_errors(output, decoder)
    persons = len(output['x']) // len(chosen)
    drawn = {key: value[: DRAWN_CLIPS * persons] for key, value in output.items()}
    titles = [names.get(int(labels[i]), 'no label') for i in chosen[:DRAWN_CLIPS]]
    return make_masked_clips(drawn, decoder, titles), errors, _caption(errors, decoder)


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


def _warn_of_unfinished(stages: Sequence[TrainedStage]) -> None:
    for stage in stages:
        planned, epoch = stage.cfg.train_cfg.get('max_epochs'), stage.encoder.meta['epoch']
        if planned and epoch < planned:
            print_log(
                f'{stage.encoder.path}: epoch {epoch} of {planned}, this stage is not finished',
                logger='current',
                level=logging.WARNING,
            )
