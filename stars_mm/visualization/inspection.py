"""The pictures that belong to an inspection of an annotation file."""

from pathlib import Path

import numpy as np

from stars_mm.preparation.annotation_file import clip_key
from stars_mm.preparation.inspection import Inspection, plain
from stars_mm.visualization.recordings import (
    Bones,
    DrawnClip,
    animate,
    plot_class_counts,
    plot_lengths,
)

SAMPLES = 6  # clips that are animated


def choose_samples(report: Inspection, labels: list[object], seed: int = 0) -> list[int]:
    """Clips without a fault, of classes spread over their range.

    Args:
        report (Inspection): Of the file.
        labels (list): Of each clip.
        seed (int): Seed of the choice within a class.

    Returns:
        list[int]: Up to :data:`SAMPLES` positions.
    """
    sound = [n for n, clip in report.stats.items() if clip.persons]
    order = [sound[i] for i in np.random.default_rng(seed).permutation(len(sound))]
    classes = sorted({labels[n] for n in order if labels[n] is not None})
    spread = np.linspace(0, len(classes) - 1, min(SAMPLES, len(classes)))
    first = [next(n for n in order if labels[n] == classes[int(place)]) for place in spread]
    return (first + [n for n in order if n not in first])[:SAMPLES]


def _recording(
    report: Inspection, annotations: list[dict], number: int, label: object
) -> DrawnClip:
    clip, stats = annotations[number], report.stats[number]
    keypoint = clip['keypoint'][:, : stats.frames, :, : report.units.dims]
    present = keypoint.any((1, 2, 3))
    name = None if label is None else report.class_name(label)
    title = f'{name or label}: ' * (label is not None) + str(
        clip.get(clip_key(annotations), number)
    )
    return DrawnClip(plain(title, 34), keypoint[present])


def draw_inspection(
    report: Inspection, annotations: list[dict], folder: Path, bones: Bones
) -> list[Path]:
    """Draws lengths, classes, and samples of the clips.

    Args:
        report (Inspection): Of the file.
        annotations (list[dict]): Its clips.
        folder (Path): Where the pictures go; it is made.
        bones (tuple): Pairs of joints; without any, joints are dots.

    Returns:
        list[Path]: The pictures. What there is nothing to draw of is left out.

    Raises:
        OSError: If a file cannot be written.
        subprocess.CalledProcessError: If ffmpeg fails; the others are there.
    """
    groups = report.splits or {'whole file': report.whole}
    files = []
    if report.stats:
        files.append(folder / 'lengths.png')
        plot_lengths({plain(name): group.lengths for name, group in groups.items()}, files[-1])
    classes = report.labels()
    if classes:
        files.append(folder / 'classes.png')
        plot_class_counts(
            {plain(name): group.class_counts for name, group in groups.items()},
            classes,
            [plain(report.class_name(label) or label) for label in classes]
            if report.class_names
            else None,
            files[-1],
        )
    labels = [_whole_number(clip.get('label')) for clip in annotations]
    chosen = choose_samples(report, labels)
    if chosen:
        files += animate(
            [_recording(report, annotations, n, labels[n]) for n in chosen], bones, folder
        )
    return files


def _whole_number(label: object) -> object:
    """Integers of numpy as Python's; other labels are not for a title."""
    return int(label) if isinstance(label, (int, np.integer)) else None
