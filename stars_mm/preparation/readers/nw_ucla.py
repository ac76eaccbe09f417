"""Northwestern-UCLA Multiview Action 3D (Wang et al., CVPR 2014).

It is distributed as ``all_sqe.zip``: one ``aXX_sXX_eXX_vXX.json`` (action, subject, take, view) for
each clip, whose key ``skeletons`` holds T frames of 20 joints, xyz in metres. Views 1 and 2 train,
view 3 tests (the data set's cross-view protocol); as it is distributed, view 3 of a02 and a03 is
that of view 2, so ``xview_val_distinct`` names the test clips that no training clip equals.
To choose by, ``xview_val1_*`` parts the training split, view 1 trains and view 2 tests, and
``xview_val2_*`` the other way round.
"""

import json
from typing import NoReturn

import numpy as np

from stars_mm.preparation.readers.named_files import list_named
from stars_mm.preparation.recording import RecordingSet
from stars_mm.preparation.source_files import SourceFile
from stars_mm.utils.input_error import shown

#: The actions that were recorded, in the order of their labels 0 to 9.
ACTIONS = {
    'a01': 'pick up with one hand',
    'a02': 'pick up with two hands',
    'a03': 'drop trash',
    'a04': 'walk around',
    'a05': 'sit down',
    'a06': 'stand up',
    'a08': 'donning',
    'a09': 'doffing',
    'a11': 'throw',
    'a12': 'carry',
}
_SPLITS = {
    'v01': ('xview_train', 'xview_val1_train', 'xview_val2_val'),
    'v02': ('xview_train', 'xview_val1_val', 'xview_val2_train'),
    'v03': ('xview_val',),
}


def read(src: str) -> RecordingSet:
    """Lists the clips of a folder or zip."""

    def describe(action: str, subject: str, view: str) -> dict:
        for what, value, known in (('action', action, ACTIONS), ('view', view, _SPLITS)):
            if value not in known:
                why = f"'{value}' is not in NW-UCLA, which has {' '.join(known)}"
                raise ValueError(f'{what} {why}. Rename or remove it.')
        return dict(label=ACTIONS[action], subject=subject, camera=view, split=_SPLITS[view])

    example, pattern = 'aXX_sXX_eXX_vXX.json', r'(a\d\d)_(s\d\d)_e\d\d_(v\d\d)'
    recordings = list_named(src, '.json', pattern, example, describe, load)
    return RecordingSet(
        recordings,
        title='Northwestern-UCLA Multiview Action 3D',
        layout='kinect-20',
        class_names=list(ACTIONS.values()),
        distinct=('xview_val',),
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"'skeletons' holds {name}. Mend or remove it.")


def load(file: SourceFile) -> np.ndarray:
    """The coordinates of a clip, (T, 20, 3) in metres."""
    try:
        content = json.loads(file.read(), parse_constant=_refuse_constant)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f'is no readable JSON ({error}). Get it again.') from error
    frames = content.get('skeletons') if isinstance(content, dict) else None
    if not isinstance(frames, list):
        raise ValueError("has no list 'skeletons'. Get it again.")
    for number, frame in enumerate(frames):
        where = f"'skeletons'[{number}]"
        if not isinstance(frame, list) or len(frame) != 20:
            found = len(frame) if isinstance(frame, list) else shown(frame)
            raise ValueError(f'{where} has {found} joints; NW-UCLA has 20. Mend or remove it.')
        for point in frame:
            kinds = [type(v) in (int, float) for v in point] if isinstance(point, list) else []
            if kinds != [True] * 3:
                raise ValueError(
                    f'{where} holds {shown(point)}, no three numbers. Mend or remove it.'
                )
    return np.array(frames, dtype=np.float64)
