"""What a config has to know of an annotation file, read from the file."""

import os.path as osp
from functools import lru_cache

from stars_mm.preparation.annotation_file import load_annotations
from stars_mm.preparation.layouts import get_layout, stored_layout

#: Where there is no file yet, a config can be looked at all the same: the
#: runner says that the file is missing before anything is trained.
_NO_FILE = dict(
    in_channels=3,
    coordinates=2,
    num_person=1,
    num_classes=2,
    train_clips=1000,
    train_split='xsub_train',
    val_split='xsub_val',
)


def summarize_annotations(
    ann_file: str,
    layout: str | dict | None = None,
    train_split: str | None = None,
    val_split: str | None = None,
) -> dict:
    """Describes an annotation file for a config.

    Args:
        ann_file (str): The file. One that does not exist gives the facts of a single person's 2D
            clips with scores, 'coco-17' if ``layout`` says nothing else.
        layout (str or dict, optional): What the joints are; see
            :func:`stars_mm.preparation.layouts.get_layout`. By default what the
            file says, as ``tools/data/convert.py`` writes it.
        train_split (str, optional): Name of the training split; by default
            the one of the file whose name ends in 'train'.
        val_split (str, optional): Name of the test split; by default the
            training split's name with 'val' or 'test' at its end.

    Returns:
        dict: Plain values: ``num_joints`` V, ``in_channels`` (scores included), ``coordinates`` C,
        ``num_person`` (largest M), ``num_classes``, ``train_clips``, ``train_split``,
        ``val_split``, and of the layout ``layout`` (its dict), ``center``, ``align``, ``left``,
        ``right`` and ``unit``.

    Raises:
        ValueError: If the file does not say what is asked, or differs from
            ``layout``; says what to do.
    """
    if osp.isfile(ann_file):
        facts = dict(_read(ann_file, osp.getmtime(ann_file)))
        splits = facts.pop('splits')
        train, val = _choose_splits(splits, train_split, val_split, ann_file)
        facts.update(train_split=train, val_split=val, train_clips=splits[train])
        extra = facts.pop('extra')
        layout = layout or stored_layout(extra, ann_file)
        if layout is None:
            raise ValueError(
                f'{ann_file}: does not say what its joints are. Say layout='
                "'coco-17' (or another one) in the config."
            )
    else:
        facts = dict(_NO_FILE)
        facts.update(
            train_split=train_split or facts['train_split'],
            val_split=val_split or facts['val_split'],
        )
    layout = get_layout(layout or 'coco-17')
    joints = facts.get('num_joints', layout.num_joints)
    if joints != layout.num_joints:
        raise ValueError(
            f'{ann_file}: its clips have {joints} joints, layout '
            f"'{layout.name}' {layout.num_joints}. Correct layout."
        )
    return dict(
        facts,
        num_joints=joints,
        layout=layout.to_dict(),
        center=layout.center,
        align=layout.align,
        left=layout.left,
        right=layout.right,
        unit=layout.unit,
    )


@lru_cache(maxsize=4)
def _read(ann_file: str, _: float) -> dict:
    """Facts of a file, read once (a config and its stages ask for them);
    ``splits`` is name → number of clips, ``extra`` its further entries."""
    extra: dict = {}
    annotations, splits = load_annotations(ann_file, extra)
    if not annotations:
        raise ValueError(f'{ann_file}: holds no clips. Make the file again.')
    first = annotations[0]
    *_, V, C = first['keypoint'].shape
    names = extra.get('class_names')
    return dict(
        num_joints=V,
        coordinates=C,
        in_channels=C + ('keypoint_score' in first),
        num_person=max(len(clip['keypoint']) for clip in annotations),
        num_classes=len(names) if names else 1 + max(int(clip['label']) for clip in annotations),
        extra=extra,
        splits={name: len(clips) for name, clips in (splits or {}).items()},
    )


def _choose_splits(
    splits: dict[str, int], train: str | None, val: str | None, ann_file: str
) -> tuple[str, str]:
    known: list[str] = list(splits)
    train = train or next((name for name in known if name.endswith('train')), None)
    if train is not None and val is None:
        stem = train.removesuffix('train')
        val = next((stem + end for end in ('val', 'test') if stem + end in splits), None)
    for key, name in (('train_split', train), ('val_split', val)):
        if name not in splits:
            raise ValueError(
                f'{ann_file}: {key}={name!r} is none of its '
                f'splits: {known}. Say {key} in the config.'
            )
    return train, val
