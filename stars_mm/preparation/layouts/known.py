"""The layouts of common sensors and pose estimators, as a table.

Joints are named in the order of a clip's V axis; ``parents`` has the number of the joint at the
other end of each one's bone, the root's being its own. Left and right are told by the names.
"""

from stars_mm.preparation.layouts.layout import SkeletonLayout

_TABLE = {
    # Kinect v2, as in NTU RGB+D and PKU-MMD (Shahroudy et al., CVPR 2016, figure 2); bones as in
    # mmaction2's JointToBone
    'ntu-25': dict(
        joints='spine_base spine_mid neck head left_shoulder left_elbow left_wrist left_hand '
        'right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot '
        'right_hip right_knee right_ankle right_foot spine_shoulder left_hand_tip left_thumb '
        'right_hand_tip right_thumb',
        parents='1 20 20 2 20 4 5 6 20 8 9 10 0 12 13 14 0 16 17 18 20 22 7 24 11',
        center='spine_mid',
    ),
    # Kinect v1, as in NW-UCLA, UTKinect-Action3D and others
    'kinect-20': dict(
        joints='hip_center spine shoulder_center head left_shoulder left_elbow left_wrist '
        'left_hand right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle '
        'left_foot right_hip right_knee right_ankle right_foot',
        parents='1 2 2 2 2 4 5 6 2 8 9 10 0 12 13 14 0 16 17 18',
        center='spine',
    ),
    # OpenNI, in the order of KARD's files
    'kard-15': dict(
        joints='head neck right_shoulder right_elbow right_hand left_shoulder left_elbow left_hand '
        'torso right_hip right_knee right_foot left_hip left_knee left_foot',
        parents='1 8 1 2 3 1 5 6 8 8 9 10 8 12 13',
        center='torso',
        unit='mm',
    ),
    # OpenNI, in the order of CAD-60
    'cad60-15': dict(
        joints='head neck torso left_shoulder left_elbow right_shoulder right_elbow left_hip '
        'left_knee right_hip right_knee left_hand right_hand left_foot right_foot',
        parents='1 2 2 1 3 1 5 2 7 2 9 4 6 8 10',
        center='torso',
        unit='mm',
    ),
    # Bandai-Namco-Research-Motiondataset, without the joint on the ground that all hang on; the
    # clavicles are called Shoulder_L and Shoulder_R there
    'bandai-namco-21': dict(
        joints='hips spine chest neck head left_clavicle left_shoulder left_elbow left_wrist '
        'right_clavicle right_shoulder right_elbow right_wrist left_hip left_knee left_ankle '
        'left_toes right_hip right_knee right_ankle right_toes',
        parents='0 0 1 2 3 2 5 6 7 2 9 10 11 0 13 14 15 0 17 18 19',
        center='spine',
        unit='cm',
    ),
    # What all of these have or what lies between their joints, see ``mapping.py``
    'common-15': dict(
        joints='head neck torso left_shoulder left_elbow left_wrist right_shoulder right_elbow '
        'right_wrist left_hip left_knee left_ankle right_hip right_knee right_ankle',
        parents='1 2 2 1 3 4 1 6 7 2 9 10 2 12 13',
        center='torso',
    ),
    # The body of COCO, as most 2D pose estimators give it; bones as in mmaction2's JointToBone. No
    # joint lies in the middle of the body, so the nose is root and centre, as in mmaction2
    'coco-17': dict(
        joints='nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow '
        'right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle '
        'right_ankle',
        parents='0 0 0 1 2 0 0 5 6 7 8 0 0 11 12 13 14',
        center='nose',
        unit='px',
    ),
    # The 17 of Human3.6M's joints that are commonly used, as mmpose's lifters give them, in metres
    'h36m-17': dict(
        joints='root right_hip right_knee right_foot left_hip left_knee left_foot spine thorax '
        'neck_base head left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist',
        parents='0 0 1 2 0 4 5 0 7 8 9 8 11 12 8 14 15',
        center='root',
    ),
    # OpenPose's COCO model with the neck; bones as in mmaction2's JointToBone
    'openpose-18': dict(
        joints='nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow '
        'left_wrist right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye '
        'left_eye right_ear left_ear',
        parents='0 0 1 2 3 1 5 6 2 8 9 5 11 12 0 0 14 15',
        center='neck',
        unit='px',
    ),
}


def _known_layout(name: str) -> SkeletonLayout:
    row = _TABLE[name]
    joints = row['joints'].split()
    left = [joint for joint in joints if joint.startswith('left_')]
    return SkeletonLayout.from_dict(
        dict(
            name=name,
            joints=joints,
            parents=[int(parent) for parent in row['parents'].split()],
            center=row['center'],
            pairs=[(joint, joint.replace('left_', 'right_')) for joint in left],
            align=['left_shoulder', 'right_shoulder'],
            unit=row.get('unit', 'm'),
        )
    )


#: Name → layout.
LAYOUTS = {name: _known_layout(name) for name in _TABLE}
#: mmaction2's names, and those of data sets.
ALIASES = {
    'nturgb+d': 'ntu-25',
    'nw-ucla': 'kinect-20',
    'coco': 'coco-17',
    'openpose': 'openpose-18',
}
