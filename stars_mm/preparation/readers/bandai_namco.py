"""Bandai-Namco-Research-Motiondataset (Kobayashi et al., 2023), motion capture of one body.

One ``dataset-1_CONTENT_STYLE_XXX.bvh`` for each clip, 30 frames a second, in centimetres. The
content is the class and the style takes the place of the subject. CC BY-NC 4.0.
"""

from functools import partial

from stars_mm.preparation.readers.bvh import load
from stars_mm.preparation.readers.named_files import list_named
from stars_mm.preparation.recording import RecordingSet

#: The files' names of the joints of 'bandai-namco-21', which says what they are.
JOINTS = tuple(
    'Hips Spine Chest Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L Shoulder_R UpperArm_R '
    'LowerArm_R Hand_R UpperLeg_L LowerLeg_L Foot_L Toes_L UpperLeg_R LowerLeg_R Foot_R '
    'Toes_R'.split()
)


def read(src: str) -> RecordingSet:
    """Lists the clips of a folder or zip."""

    def describe(content: str, style: str) -> dict:
        return dict(label=content, subject=style)

    example, pattern = 'dataset-X_CONTENT_STYLE_XXX.bvh', r'dataset-\d+_([^_]+)_([^_]+)_\d+'
    recordings = list_named(
        src, '.bvh', pattern, example, describe, partial(load, joints=JOINTS, step=1)
    )
    title = 'Bandai-Namco-Research-Motiondataset'
    return RecordingSet(recordings, title=title, layout='bandai-namco-21')
