"""The layouts of common sensors and pose estimators."""

from stars_mm.preparation.layouts.layout import SkeletonLayout

#: Kinect v2 joints of NTU RGB+D and PKU-MMD (Shahroudy et al., CVPR 2016,
#: figure 2); bones as in mmaction2's ``JointToBone``.
NTU_25 = SkeletonLayout.from_dict(
    dict(
        name='ntu-25',
        joints=[
            'spine_base',
            'spine_mid',
            'neck',
            'head',
            'left_shoulder',
            'left_elbow',
            'left_wrist',
            'left_hand',
            'right_shoulder',
            'right_elbow',
            'right_wrist',
            'right_hand',
            'left_hip',
            'left_knee',
            'left_ankle',
            'left_foot',
            'right_hip',
            'right_knee',
            'right_ankle',
            'right_foot',
            'spine_shoulder',
            'left_hand_tip',
            'left_thumb',
            'right_hand_tip',
            'right_thumb',
        ],
        parents=[
            1,
            20,
            20,
            2,
            20,
            4,
            5,
            6,
            20,
            8,
            9,
            10,
            0,
            12,
            13,
            14,
            0,
            16,
            17,
            18,
            None,
            22,
            7,
            24,
            11,
        ],
        center='spine_mid',
        pairs=[
            (4, 8),
            (5, 9),
            (6, 10),
            (7, 11),
            (12, 16),
            (13, 17),
            (14, 18),
            (15, 19),
            (21, 23),
            (22, 24),
        ],
        align=['left_shoulder', 'right_shoulder'],
    )
)

#: Kinect v1 joints of NW-UCLA, UTKinect-Action3D and others.
KINECT_20 = SkeletonLayout.from_dict(
    dict(
        name='kinect-20',
        joints=[
            'hip_center',
            'spine',
            'shoulder_center',
            'head',
            'left_shoulder',
            'left_elbow',
            'left_wrist',
            'left_hand',
            'right_shoulder',
            'right_elbow',
            'right_wrist',
            'right_hand',
            'left_hip',
            'left_knee',
            'left_ankle',
            'left_foot',
            'right_hip',
            'right_knee',
            'right_ankle',
            'right_foot',
        ],
        parents=[1, 2, None, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18],
        center='spine',
        pairs=[(4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)],
        align=['left_shoulder', 'right_shoulder'],
    )
)

#: The body of COCO, as most 2D pose estimators give it; bones as in mmaction2's ``JointToBone``. No
#: joint lies in the middle of the body, so the nose is the root and the centre, as in mmaction2.
COCO_17 = SkeletonLayout.from_dict(
    dict(
        name='coco-17',
        joints=[
            'nose',
            'left_eye',
            'right_eye',
            'left_ear',
            'right_ear',
            'left_shoulder',
            'right_shoulder',
            'left_elbow',
            'right_elbow',
            'left_wrist',
            'right_wrist',
            'left_hip',
            'right_hip',
            'left_knee',
            'right_knee',
            'left_ankle',
            'right_ankle',
        ],
        parents=[None, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 0, 0, 11, 12, 13, 14],
        center='nose',
        pairs=[(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)],
        align=['left_shoulder', 'right_shoulder'],
        unit='px',
    )
)

#: The 17 of Human3.6M's joints that are commonly used, as mmpose's lifters give them, in metres.
H36M_17 = SkeletonLayout.from_dict(
    dict(
        name='h36m-17',
        joints=[
            'root',
            'right_hip',
            'right_knee',
            'right_foot',
            'left_hip',
            'left_knee',
            'left_foot',
            'spine',
            'thorax',
            'neck_base',
            'head',
            'left_shoulder',
            'left_elbow',
            'left_wrist',
            'right_shoulder',
            'right_elbow',
            'right_wrist',
        ],
        parents=[None, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15],
        center='root',
        pairs=[(4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16)],
        align=['left_shoulder', 'right_shoulder'],
    )
)

#: OpenPose's COCO model with the neck; bones as in mmaction2's ``JointToBone``.
OPENPOSE_18 = SkeletonLayout.from_dict(
    dict(
        name='openpose-18',
        joints=[
            'nose',
            'neck',
            'right_shoulder',
            'right_elbow',
            'right_wrist',
            'left_shoulder',
            'left_elbow',
            'left_wrist',
            'right_hip',
            'right_knee',
            'right_ankle',
            'left_hip',
            'left_knee',
            'left_ankle',
            'right_eye',
            'left_eye',
            'right_ear',
            'left_ear',
        ],
        parents=[None, 0, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15],
        center='neck',
        pairs=[(5, 2), (6, 3), (7, 4), (11, 8), (12, 9), (13, 10), (15, 14), (17, 16)],
        align=['left_shoulder', 'right_shoulder'],
        unit='px',
    )
)
