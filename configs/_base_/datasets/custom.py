_base_ = ['ntu60-xsub.py']

from stars_mm.datasets.annotation_summary import summarize_annotations  # noqa: E402

# ---- Yours to change. The environment may name the file as well:
# ---- ANN_FILE=data/skeleton/other.pkl python tools/train.py …
ann_file = '{{$ANN_FILE:data/skeleton/custom.pkl}}'
layout = None  # what the file says; or 'coco-17', …, or a .json file
num_frames = 64  # frames of a clip after resizing, a multiple of 8
min_frames = 24  # least length of a random crop
batch_size = 32
turn = False  # turn 3D clips to face one way: for cameras that differ
mirror = False  # mirror at random: where no class is of one side
# ----

# joints, channels, persons, classes and splits are the file's
facts = summarize_annotations(ann_file, layout)
num_classes = facts['num_classes']
encoder = dict(
    num_frames=num_frames, num_joints=facts['num_joints'], in_channels=facts['in_channels']
)

batch_size = min(batch_size, facts['train_clips'])
# as many iterations as NW-UCLA's small recipe has, whatever the clips' number
per_epoch = max(facts['train_clips'] // batch_size, 1)
pretrain_epochs = max(4650 // per_epoch, 1)
tune_epochs = max(248 // per_epoch, 1)

begin = [
    dict(
        type='CenterSkeleton',
        center_joint=facts['center'],
        align=facts['align'] if turn and facts['coordinates'] == 3 else None,
    )
]
if facts['unit'] != 'm':
    begin.append(dict(type='ScaleSkeleton', size=0.5))
crop = [
    dict(
        type='TemporalCropResize', clip_len=num_frames, p_interval=(0.5, 1.0), min_frames=min_frames
    )
]
if mirror:
    crop.append(dict(type='RandomMirror', left=facts['left'], right=facts['right']))
end = [
    dict(type='FormatGCNInput', num_person=facts['num_person']),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
train_pipeline = [*begin, *crop, dict(type='RandomRot', theta=0.3), *end]
test_pipeline = [
    *begin,
    dict(type='TemporalCropResize', clip_len=num_frames, p_interval=0.95),
    *end,
]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file=ann_file,
        split=facts['train_split'],
        num_classes=num_classes,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file=ann_file, split=facts['val_split'], num_classes=num_classes, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
bank_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file=ann_file,
        split=facts['train_split'],
        num_classes=num_classes,
        pipeline=test_pipeline,
    ),
)
val_cfg = dict(bank_dataloader=bank_dataloader)
test_cfg = dict(bank_dataloader=bank_dataloader)

neighbours = [k for k in (1, 2, 5, 10, 20, 40) if k <= facts['train_clips']]
val_evaluator = [
    dict(type='KNNMetric', topk_neighbors=neighbours[:4]),
    dict(type='KNNMetric', topk_neighbors=neighbours[-3:], temperature=0.1),
]
test_evaluator = [dict(type='KNNMetric', topk_neighbors=neighbours[:4]), dict(type='ClusterMetric')]
del facts
