"""CAD-60 (Sung et al., ICRA 2012), its skeletons cut into segments of about a second.

A folder a class, in which ``pX_aXX_XXX.npy`` (person, activity, segment) holds (T, 15, 3) float32:
xyz in millimetres of the joints in the order of layout 'cad60-15'. Persons 1 to 3 train, 4 tests.
Neighbouring segments are of one recording, and each person did everything at one go, so the set is
for pretraining rather than for testing. Left and right are as in Kinect's data, x as well.
"""

import re
from functools import partial

import numpy as np

from stars_mm.preparation.recording import Recording, RecordingSet
from stars_mm.preparation.source_files import SourceFile, by_stem, find_files
from stars_mm.utils.safe_arrays import load_npy

CLASS_NAMES = (
    'brushing_teeth cooking_chopping cooking_stirring drinking_water opening_pill_container '
    'random1 random2 relaxing_on_couch rinsing_mouth_with_water still talking_on_couch '
    'talking_on_the_phone wearing_contact_lenses working_on_computer writing_on_whiteboard'
).split()


def read(src: str) -> RecordingSet:
    """Lists the segments of a folder or zip."""
    files = by_stem(find_files(src, '.npy', 'CLASS/pX_aXX_XXX.npy'))
    recordings = [_describe(name, file) for name, file in files.items()]
    return RecordingSet(recordings, title='CAD-60', layout='cad60-15', class_names=CLASS_NAMES)


def _describe(name: str, file: SourceFile) -> Recording:
    match = re.fullmatch(r'p(\d+)_a\d+_\d+', name)
    if match is None:
        raise ValueError(f'{file.where}: is not named pX_aXX_XXX.npy. Rename or remove it.')
    if file.parent not in CLASS_NAMES:
        known = ', '.join(CLASS_NAMES)
        raise ValueError(f'{file.where}: lies in {file.parent!r}, which is no class: {known}.')
    return Recording(
        name=name,
        label=file.parent,
        subject=f'p{match[1]}',
        keypoints=partial(load, file),
        split='xsub_train' if int(match[1]) <= 3 else 'xsub_val',
        source=file.where,
    )


def load(file: SourceFile) -> np.ndarray:
    """The coordinates of a segment, (T, 15, 3) in millimetres."""
    joints = load_npy(file.read())
    if joints.ndim != 3 or joints.shape[1:] != (15, 3):
        raise ValueError(f'has shape {joints.shape}; (T, 15, 3) is needed.')
    return joints
