_base_ = ['nw-ucla.py']

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
summary = summarize_annotations(ann_file, layout)
num_classes = summary['num_classes']
train_clips = summary['train_clips']
encoder = dict(
    embed_dims=128,
    depth=4,
    num_heads=4,
    num_frames=num_frames,
    num_joints=summary['num_joints'],
    in_channels=summary['in_channels'],
    tubelet_size=8,
)

batch_size = min(batch_size, train_clips)
# as many iterations as NW-UCLA's small recipe has, whatever the clips' number
per_epoch = max(train_clips // batch_size, 1)
pretrain_epochs = max(4650 // per_epoch, 1)
tune_epochs = max(248 // per_epoch, 1)

begin = [
    dict(
        type='CenterSkeleton',
        center_joint=summary['center'],
        align=summary['align'] if turn and summary['coordinates'] == 3 else None,
    )
]
if summary['unit'] != 'm':
    begin.append(dict(type='ScaleSkeleton', size=0.5))
crop = [
    dict(
        type='TemporalCropResize', clip_len=num_frames, p_interval=(0.5, 1.0), min_frames=min_frames
    )
]
if mirror:
    crop.append(dict(type='RandomMirror', left=summary['left'], right=summary['right']))
end = [
    dict(type='FormatGCNInput', num_person=summary['num_person']),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
train_pipeline = [*begin, *crop, dict(type='RandomRot', theta=0.3), *end]
two_views_pipeline = [
    *begin,
    dict(
        type='MultiView',
        num_views=2,
        transforms=[*crop, dict(type='RandomRot', theta=(0.3, 0.6, 0.3))],
    ),
    *end,
]
test_pipeline = [
    *begin,
    dict(type='TemporalCropResize', clip_len=num_frames, p_interval=0.95),
    *end,
]
del begin, crop, end

data = dict(ann_file=ann_file, num_classes=num_classes)
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(split=summary['train_split'], pipeline=train_pipeline, **data),
)
val_dataloader = dict(dataset=dict(split=summary['val_split'], pipeline=test_pipeline, **data))
test_dataloader = val_dataloader
val_cfg = dict(
    bank_dataloader=dict(dataset=dict(split=summary['train_split'], pipeline=test_pipeline, **data))
)
test_cfg = val_cfg

neighbors = [k for k in (1, 2, 5, 10, 20, 40) if k <= train_clips]
val_evaluator = [
    dict(type='KNNMetric', topk_neighbors=neighbors[:4]),
    dict(type='KNNMetric', topk_neighbors=neighbors[-3:], temperature=0.1),
]
test_evaluator = [dict(type='KNNMetric', topk_neighbors=neighbors[:4]), dict(type='ClusterMetric')]
del data, layout, min_frames, mirror, neighbors, num_frames, per_epoch, summary, train_clips, turn
