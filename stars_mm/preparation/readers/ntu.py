"""NTU RGB+D 60 and 120 (https://rose1.ntu.edu.sg/dataset/actionRecognition).

They are distributed as ``nturgbd_skeletons_s001_to_s017.zip`` and, for NTU-120 as well,
``nturgbd_skeletons_s018_to_s032.zip``: one ``SsssCcccPpppRrrrAaaa.skeleton`` for each recording.
Bodies that are none are dropped as in the data of CTR-GCN, MAMP and STARS.
"""

from functools import partial

from stars_mm.preparation.readers import ntu_names
from stars_mm.preparation.readers.named_files import list_named
from stars_mm.preparation.readers.ntu_denoise import choose_actors
from stars_mm.preparation.readers.ntu_parse import parse_recording
from stars_mm.preparation.recording import Clip, RecordingSet, leave_out
from stars_mm.preparation.source_files import SourceFile

#: What is said of denoising, by what ``choose_actors`` counts.
_NOTES = dict(
    empty='frames without a body removed',
    uncovered='frames with dropped bodies alone removed',
    short='bodies dropped, 11 frames long or less',
    wide='bodies dropped, too wide for a person',
    third='bodies left out beside two actors',
    rescued='short bodies alone, of which the longest was kept',
)


def read(src: str, dataset: int) -> RecordingSet:
    """Lists the recordings of a release.

    Args:
        src (str): A folder or zip of ``.skeleton`` files, or a folder of zips.
        dataset (int): 60 or 120. What only NTU-120 has is left out of NTU-60.

    Raises:
        FileNotFoundError, ValueError: If there are none, or a name is not one of the data set.
    """
    ntu, last = ntu_names.DATASETS[dataset], ntu_names.DATASETS[120].setups
    missing, names = ntu_names.missing_skeletons(), ntu_names.class_names(dataset)
    later = f'of NTU-120 alone (set-up S{ntu.setups + 1:03} and later)'

    def describe(stem: str) -> dict:
        name = ntu_names.parse_name(stem)
        if ntu.setups < name.setup <= last:
            return dict(label='', keypoints=partial(leave_out, later))
        ntu_names.check_name(name, ntu)
        fields: dict = dict(subject=name.subject, camera=name.camera)
        if stem in missing:
            fields['keypoints'] = partial(leave_out, 'on the list of missing skeletons')
        return dict(fields, label=names[name.action - 1], split=ntu_names.splits_of(name, ntu))

    example = 'SsssCcccPpppRrrrAaaa.skeleton'
    return RecordingSet(
        list_named(src, '.skeleton', '(.*)', example, describe, load),
        title=f'NTU RGB+D {dataset}',
        layout='ntu-25',
        class_names=names,
        keep_absent=True,
        remarks=[f'NTU-{dataset} has {ntu.clips} clips'],
    )


def load(file: SourceFile) -> Clip:
    """The actors of a recording, (M, T, 25, 3) in metres."""
    keypoint, done = choose_actors(parse_recording(file.read()))
    return Clip(keypoint, None, {_NOTES[what]: count for what, count in done.items()})
