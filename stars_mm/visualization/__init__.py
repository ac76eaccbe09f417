"""Pictures of a training run: curves, t-SNE, animated skeletons."""

from stars_mm.visualization.animation import write_gif
from stars_mm.visualization.curves import StageLog, plot_curves, read_scalars, read_stage_log
from stars_mm.visualization.embedding import FeaturePanel, plot_tsne, tsne
from stars_mm.visualization.motion import (
    MaskedClip,
    MotionDecoder,
    hidden_joint_errors,
    make_masked_clips,
)
from stars_mm.visualization.skeleton import bones_for, project
from stars_mm.visualization.tuning import plot_tuning

__all__ = [
    'FeaturePanel',
    'MaskedClip',
    'MotionDecoder',
    'StageLog',
    'bones_for',
    'hidden_joint_errors',
    'make_masked_clips',
    'plot_curves',
    'plot_tsne',
    'plot_tuning',
    'project',
    'read_scalars',
    'read_stage_log',
    'tsne',
    'write_gif',
]
