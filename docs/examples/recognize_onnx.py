"""Names the actions of recordings with onnxruntime and numpy alone.

    stars-mm export actions.npz actions.onnx
    python recognize_onnx.py actions.onnx wave.csv sit.npy

A .csv has a row a frame and x, y, z of every joint in the file's order, with a line of names or
without; a .npy is an array (frames, joints, 3) or (persons, frames, joints, 3).
"""

import json
import sys

import numpy as np
import onnxruntime


def read(path: str, num_joints: int) -> np.ndarray:
    """The clip of a file, (1, persons, frames, joints, coordinates)."""
    if path.endswith('.npy'):
        clip = np.load(path)
    else:
        table = np.genfromtxt(path, delimiter=',')
        table = table[~np.isnan(table).all(axis=1)]  # names are no numbers
        clip = table.reshape(len(table), num_joints, -1)
    return clip.reshape(1, -1, *clip.shape[-3:]).astype(np.float32)


session = onnxruntime.InferenceSession(sys.argv[1])
about = session.get_modelmeta().custom_metadata_map
classes, joints = json.loads(about['classes']), json.loads(about['layout'])['joints']
for path in sys.argv[2:]:
    clip = read(path, len(joints))
    label, scores, known = session.run(['label', 'scores', 'known'], {'keypoint': clip})
    name = classes[label[0]] if known[0] else f'none of these (nearest: {classes[label[0]]})'
    print(f'{path}  {scores.max():.2f}  {name}')
