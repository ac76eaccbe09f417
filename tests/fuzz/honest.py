"""Sound files of every kind that comes in from outside, as small as they can be."""

import argparse
import io
import json
import pickle
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import savemat

from stars_mm.apis import FewShotRecognizer, SkeletonInferencer
from stars_mm.apis.encoder import PackedEncoder
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.readers.bandai_namco import JOINTS as BANDAI_NAMCO
from stars_mm.preparation.readers.bvh import H36M
from tests.fuzz.mutate import Files

T = 4  # frames


def numbers(*shape: int, seed: int = 0, size: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-size, size, shape).round(3)


def text(rows: np.ndarray, comma: str = ' ') -> bytes:
    return '\n'.join(comma.join(f'{value:g}' for value in row) for row in rows).encode() + b'\n'


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def as_zip(files: Files, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', how) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def clips() -> list[dict]:
    return [
        dict(
            frame_dir=f'clip{n}',
            label=n % 2,
            keypoint=numbers(1 + n % 2, T + n, 5, 3, seed=n).astype('f2' if n < 2 else 'f4'),
            total_frames=T + n,
        )
        for n in range(4)
    ]


SPLITS = dict(train=['clip0', 'clip1', 'clip2'], val=['clip3'])
LAYOUT = dict(
    name='five',
    joints=['hip', 'left', 'right', 'neck', 'head'],
    parents=['hip', 'hip', 'hip', 'hip', 'neck'],
    center='hip',
    pairs=[['left', 'right']],
    unit='m',
)
EXTRA = dict(class_names=['walk', 'sit'], skeleton=LAYOUT)


def annotation_pickles() -> Files:
    content = dict(split=SPLITS, annotations=clips(), **EXTRA)
    return {'ann.pkl': pickle.dumps(content, 4)}


def annotation_npz() -> Files:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'ann.npz')
        alike = [dict(clip, keypoint=clip['keypoint'].astype('f4')) for clip in clips()]
        save_annotations(str(path), alike, SPLITS, **EXTRA)
        return {'ann.npz': path.read_bytes()}


def ntu_skeleton(seed: int) -> bytes:
    lines = [f'{T + 9}']
    body = numbers(25, 3, seed=seed) + (0, 0, 3)
    for t in range(T + 9):
        lines += ['1', '72057594037931101 0 1 1 1 1 0 -0.1 -0.07 2', '25']
        lines += [' '.join(f'{v + 0.01 * t:.4f}' for v in p) + ' 2 3 2 3 0 0 0 0 2' for p in body]
    return '\r\n'.join(lines).encode()


def ntu() -> Files:
    names = 'S001C001P001R001A001 S001C002P003R002A060'.split()
    return {f'{name}.skeleton': ntu_skeleton(n) for n, name in enumerate(names)}


def pku(phase: int) -> Files:
    split = b'Training ids:\n0001-L\nValidation ids:\n0002-M, \n'
    names = ('cross-subject.txt', 'cross-view.txt')
    if phase == 2:
        names = ('cross_subject_v2.txt', 'cross_view_v2.txt')
    found = dict.fromkeys(names, split)
    for n, name in enumerate(('0001-L', '0002-M')):
        found[f'skeleton/{name}.txt'] = text(numbers(7, 150, seed=n))
        found[f'label/{name}.txt'] = b'1,0,4,2\n51,3,7,1\n'
    return found


def nw_ucla() -> Files:
    names = 'a01_s01_e00_v01 a12_s02_e01_v02 a06_s10_e05_v03'.split()
    return {
        f'all_sqe/{name}.json': as_json(dict(skeletons=numbers(T, 20, 3, seed=n).tolist(), label=3))
        for n, name in enumerate(names)
    }


def mamp_npz() -> Files:
    x, y = numbers(3, T, 150).astype('f4'), np.eye(3, dtype='f4')
    x[:2, :, 75:] = 0
    arrays = dict(x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
    members = {f'{key}.npy': npy(array) for key, array in arrays.items()}
    return {'NTU60_XSub.npz': as_zip(members, zipfile.ZIP_STORED)}


def utd_mhad() -> Files:
    found = {}
    for n, name in enumerate(('a27_s1_t1', 'a5_s2_t1')):
        file = io.BytesIO()
        savemat(file, dict(d_skel=numbers(20, 3, T, seed=n)), do_compression=bool(n))
        found[f'{name}_skeleton.mat'] = file.getvalue()
    return found


def rows_files(ending: str, joints: int, columns: int, size: float) -> Files:
    names = 'a18_s03_e01 a01_s04_e02 a01_s06_e01'.split()
    return {
        f'{name}_{ending}.txt': text(numbers(T * joints, columns, seed=n, size=size))
        for n, name in enumerate(names)
    }


def cad60() -> Files:
    names = 'still/p1_a01_002 still/p4_a01_001'.split()
    return {
        f'cad/{name}.npy': npy(numbers(T, 15, 3, seed=n, size=900).astype('f4'))
        for n, name in enumerate(names)
    }


def utkinect() -> Files:
    rows = np.column_stack([np.arange(100, 112), numbers(12, 60)])
    labels = b's01_e01\nwalk: 100 104\nsitDown: 105 109\n\ns02_e01\nwalk: 99 130\npush: 100 NaN\n'
    found = {f'joints/joints_s0{n}_e01.txt': text(rows) for n in (1, 2)}
    return {'actionLabel.txt': labels, **found}


def bvh(joints: tuple[str, ...]) -> bytes:
    lines = ['HIERARCHY', f'ROOT {joints[0]} {{ OFFSET 1 2 3 CHANNELS 6 Xposition Yposition']
    lines += ['Zposition Zrotation Yrotation Xrotation']
    lines += [
        f'JOINT {joint} {{ OFFSET 0 {n}.5 0 CHANNELS 3 Zrotation Yrotation Xrotation }}'
        for n, joint in enumerate(joints[1:])
    ]
    rows = text(numbers(T, 3 + 3 * len(joints), size=90))
    return '\n'.join([*lines, '}', 'MOTION', f'Frames: {T}', 'Frame Time: .01', '']).encode() + rows


def cmu() -> Files:
    return {f'{folder}/0{n}_01.bvh': bvh(H36M) for n, folder in enumerate(('run', 'sit'))}


def bandai_namco() -> Files:
    return {
        f'dataset-1_{kind}_00{n}.bvh': bvh(BANDAI_NAMCO)
        for n, kind in enumerate(('bow_x', 'run_y'))
    }


def mmpose() -> Files:
    def body(m: int, t: int) -> dict:
        place = numbers(17, 2, seed=m, size=100) + 200 * m + t
        return dict(keypoints=place.tolist(), keypoint_scores=numbers(17).tolist())

    frames = [dict(frame_id=t, instances=[body(0, t), body(1, t)]) for t in range(T)]
    content = dict(meta_info=dict(dataset_name='coco'), instance_info=frames)
    return dict.fromkeys(('wave/ada.json', 'sit/bob.json'), as_json(content))


def tables(ending: str) -> Files:
    layout = get_layout('common-15')
    found = {}
    for n, label in enumerate(('wave', 'sit')):
        keypoints = numbers(T, 15, 3, seed=n)
        if ending == '.csv':
            header = ['frame', 'person'] + [f'{j}_{axis}' for j in layout.joints for axis in 'xyz']
            rows = np.column_stack([np.arange(T), np.zeros(T), keypoints.reshape(T, -1)])
            content = ','.join(header).encode() + b'\n' + text(rows, ',')
        elif ending == '.tsv':
            content = text(keypoints.reshape(T, -1), '\t')
        elif ending == '.npy':
            content = npy(keypoints)
        else:
            content = as_json(dict(keypoints=keypoints.tolist()))
        found[f'{label}/{n}{ending}'] = content
    return found


def index_csv() -> Files:
    rows = b'name,label,subject,split,camera\nwave/0,wave,ada,train,1\nsit/1,sit,bob,val,2\n'
    return {'index.csv': rows, **{f'clips/{name}': c for name, c in tables('.npy').items()}}


def yaml_layout() -> bytes:
    lines = [f'{key}: {json.dumps(value)}' for key, value in LAYOUT.items()]
    return '\n'.join(lines).encode()


def tiny_model() -> dict:
    backbone = dict(type='SkeletonTransformer', embed_dims=8, depth=1, num_heads=1, num_frames=8)
    backbone.update(num_joints=15, tubelet_size=4)
    return dict(type='STARS', backbone=backbone, head=dict(type='SimilarityHead'))


def tiny_encoder() -> PackedEncoder:
    pipeline = [
        dict(type='MapJoints', source=None, target='common-15'),
        dict(type='CenterSkeleton', align=[3, 6], center_joint=2),
        dict(type='TemporalCropResize', clip_len=8, min_frames=4, p_interval=0.95),
        dict(type='MotionTimeWarp'),
        dict(type='FormatGCNInput', num_person=1),
    ]
    packed = PackedEncoder('tiny', tiny_model(), pipeline, {})
    torch.manual_seed(0)
    packed.weights = {
        key: value for key, value in packed._module().state_dict().items() if 'backbone' in key
    }
    return packed


def recognizer() -> bytes:
    examples = {
        label: [numbers(1, 9, 15, 3, seed=n + k) for k in range(2)]
        for n, label in ((0, 'walk'), (5, 'sit'))
    }
    learned = FewShotRecognizer(SkeletonInferencer(tiny_encoder(), device='cpu'), 'class-mean')
    learned.learn(examples, layout='common-15', unlabeled=[numbers(1, 7, 15, 3, seed=9)])
    with tempfile.TemporaryDirectory() as folder:
        learned.save(Path(folder, 'actions.npz'))
        return Path(folder, 'actions.npz').read_bytes()


def saved(content: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def training_checkpoint(**options: Any) -> bytes:
    state = {f'module.{key}': value for key, value in tiny_encoder().weights.items()}
    parameter = next(iter(state.values()))
    return saved(
        dict(
            meta=dict(epoch=3, iter=12, seed=0, time='now'),
            state_dict=state,
            optimizer=dict(
                state={0: dict(step=torch.tensor(3.0), exp_avg=parameter)},
                param_groups=[dict(lr=0.1)],
            ),
            param_schedulers=[dict(last_step=3, base_values=[0.1])],
            message_hub=dict(log_scalars={}, runtime_info=dict(iter=12), resumed_keys={}),
        ),
        **options,
    )


def authors_checkpoint() -> bytes:
    names = dict(patch_embed='joints_embed', projection='proj', temporal_embed='temp_embed')
    state = {}
    for key, value in tiny_encoder().weights.items():
        key = key.removeprefix('backbone.')
        for ours, theirs in {**names, 'joint_embed': 'pos_embed'}.items():
            key = '.'.join(theirs if part == ours else part for part in key.split('.'))
        state[key] = value
    return saved(dict(model=state, epoch=3, args=argparse.Namespace(lr=0.1, name='x')))


def dump() -> bytes:
    samples = [
        dict(
            sample_idx=n,
            frame_dir=f'clip{n}',
            pred_score=torch.softmax(torch.arange(3.0) + n, 0),
            gt_label=torch.tensor([n % 3]),
        )
        for n in range(4)
    ]
    return pickle.dumps(samples)


def stream() -> bytes:
    frames = [dict(time=t / 30, keypoints=numbers(15, 3, seed=t).tolist()) for t in range(6)]
    frames[2] = dict(
        instances=[dict(keypoints=numbers(15, 3).tolist(), keypoint_scores=[0.5] * 15)]
    )
    return b'\n'.join(map(as_json, frames))
