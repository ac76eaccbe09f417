"""What a config has to know of an annotation file, read from its clip store."""

import os.path as osp

from stars_mm.datasets.clip_cache import open_clip_store
from stars_mm.preparation.clip_faults import MOST_CLASSES
from stars_mm.preparation.layouts import SkeletonLayout, get_layout, joint_map, stored_layout
from stars_mm.utils.input_error import InputError

#: Where there is no file yet, a config can be looked at all the same: the
#: runner says that the file is missing before anything is trained.
_NO_FILE = dict(coordinates=2, in_channels=3, num_person=1, num_classes=2, train_clips=1000)


def summarize_annotations(
    ann_file: str,
    layout: str | dict | None = None,
    train_split: str | None = None,
    val_split: str | None = None,
    target: str | None = None,
) -> dict:
    """Describes an annotation file for a config.

    The file is read as a whole the first time only, when its clip store is made.

    Args:
        ann_file (str): The file. One that does not exist is described as a single person's 2D
            clips with scores, 'coco-17' if ``layout`` says nothing else.
        layout (str or dict, optional): What the joints are; see
            :func:`stars_mm.preparation.layouts.get_layout`. By default what the file says.
        train_split (str, optional): By default the first of the file that ends in 'train'.
        val_split (str, optional): By default ``train_split`` with 'val' or 'test' at its end; where
            the file has none and no labels either, ``train_split``.
        target (str, optional): Layout that :class:`MapJoints` is to bring the clips to, such as
            'common-15', where it can and they have three coordinates and no scores.

    Returns:
        dict: Plain values: ``num_joints`` V, ``in_channels`` (scores included), ``coordinates`` C,
        ``num_person`` (largest M), ``num_classes`` (None if clips have no class), ``train_clips``,
        ``train_split``, ``val_split``, ``layout`` (the dict of the file's), its ``unit``, and
        ``mapped``, whether the clips are brought to the target, whose then are ``num_joints``,
        ``center``, ``align``, ``left`` and ``right``. A ValueError says what the file lacks, or
        how it differs from ``layout``.
    """
    if osp.isfile(ann_file):
        store = open_clip_store(ann_file)
        if not store.index['summary']:
            raise ValueError(f'{ann_file}: holds no sound clips. Make the file again.')
        splits = store.index['splits']
        summary = store.index['summary']
        if summary['num_classes'] is None and set(splits) == {'train'}:
            val_split = val_split or 'train'  # nothing is judged
        if (summary['num_classes'] or 0) > MOST_CLASSES:
            problem = f'has {summary["num_classes"]} classes, and {MOST_CLASSES} are the most'
            raise InputError(ann_file, problem, 'Mend its labels: they number the classes from 0.')
        train, val = _choose_splits(splits, train_split, val_split, ann_file)
        summary = dict(summary, train_clips=splits[train])
        layout = layout or stored_layout(store.extra, ann_file)
        if layout is None:
            raise ValueError(
                f'{ann_file}: does not say what its joints are. Say layout (such as '
                "'coco-17') in the config."
            )
    else:
        train, val = train_split or 'xsub_train', val_split or 'xsub_val'
        summary = dict(_NO_FILE)
    skeleton = get_layout(layout or 'coco-17')
    number = summary.pop('num_joints', skeleton.num_joints)
    if number != skeleton.num_joints:
        raise ValueError(
            f'{ann_file}: its clips have {number} joints, layout '
            f"'{skeleton.name}' {skeleton.num_joints}. Correct layout."
        )
    about = dict(layout=skeleton.to_dict(), unit=skeleton.unit, mapped=False)
    if target and summary['in_channels'] == summary['coordinates'] == 3:
        about['mapped'] = _can_be_mapped(skeleton, target)
    joints = get_layout(target) if about['mapped'] else skeleton
    about['num_joints'] = joints.num_joints
    about.update({key: getattr(joints, key) for key in ('center', 'align', 'left', 'right')})
    return dict(summary, train_split=train, val_split=val, **about)


def _can_be_mapped(skeleton: SkeletonLayout, target: str) -> bool:
    try:
        joint_map(skeleton, target)
    except ValueError:
        return False
    return True


def _choose_splits(
    splits: dict[str, int], train: str | None, val: str | None, ann_file: str
) -> tuple[str | None, str | None]:
    train = train or next((name for name in splits if name.endswith('train')), None)
    if train is not None and val is None:
        stem = train.removesuffix('train')
        val = next((stem + end for end in ('val', 'test') if stem + end in splits), None)
    for key, name in (('train_split', train), ('val_split', val)):
        if name not in splits:
            raise ValueError(
                f'{ann_file}: {key}={name!r} is none of its '
                f'splits: {list(splits)}. Say {key} in the config.'
            )
    return train, val
