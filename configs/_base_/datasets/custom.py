_base_ = ['nw-ucla.py']

from stars_mm.datasets.annotation_summary import summarize_annotations  # noqa: E402

# ---- Yours to change. What has a name in capitals is read from the environment as well:
# ---- ANN_FILE=data/skeleton/other.pkl PRETRAIN_ITERS=400 python tools/train.py …
ann_file = '{{$ANN_FILE:data/skeleton/custom.pkl}}'
layout = None  # what the file says; or 'coco-17', …, or a .json file
pretrain_iters = int('{{$PRETRAIN_ITERS:200}}')  # of stage 1; stage 2 takes 30 % of it
start = '{{$START:stars://common-15}}'  # or a checkpoint of its shape, or scratch
turn = bool(int('{{$TURN:1}}'))  # turn 3D clips to face one way: for cameras that differ
mirror = bool(int('{{$MIRROR:0}}'))  # mirror at random: where no class is of one side
batch_size = int('{{$BATCH_SIZE:48}}')
train_split = '{{$TRAIN_SPLIT:auto}}'  # auto: the first of the file that ends in 'train'
val_split = '{{$VAL_SPLIT:auto}}'  # auto: the one that belongs to it
num_frames = 64  # frames of a clip after resizing, a multiple of 8
min_frames = 16  # least length of a random crop
# ----

# joints, channels, persons, classes and splits are the file's; 3D joints that
# can be are brought to common ones
splits = [None if split == 'auto' else split for split in (train_split, val_split)]
summary = summarize_annotations(ann_file, layout, *splits, target='common-15')
num_classes = summary['num_classes']
train_clips = summary['train_clips']
encoder = dict(
    embed_dims=256,
    depth=2,
    num_heads=4,
    num_frames=num_frames,
    num_joints=summary['num_joints'],
    in_channels=summary['in_channels'],
    tubelet_size=8,
    mean_share=0.7,
    gate_scale=3.0,
    residual_scale=0.1,
)
init_cfg = None
if summary['mapped'] and num_frames == 64 and start != 'scratch':
    init_cfg = dict(type='Pretrained', checkpoint=start, prefix='backbone.')

batch_size = min(batch_size, train_clips)
protocol_batch_size = min(32, train_clips)
# whole epochs, as near as they come to the iterations
per_epoch = max(train_clips // batch_size, 1)
given = int('{{$PRETRAIN_EPOCHS:0}}')  # --pretrain-epochs of train.py
pretrain_iters = given * per_epoch or pretrain_iters
pretrain_epochs = max(round(pretrain_iters / per_epoch), 1)
tune_epochs = max(round(0.3 * pretrain_iters / per_epoch), 1)

begin = [
    dict(
        type='CenterSkeleton',
        center_joint=summary['center'],
        align=summary['align'] if turn and summary['coordinates'] == 3 else None,
    )
]
if summary['mapped']:
    begin.insert(0, dict(type='MapJoints', source=layout, target='common-15'))
if summary['unit'] != 'm':
    begin.append(dict(type='ScaleSkeleton', size=0.5))
crop = dict(
    type='TemporalCropResize', clip_len=num_frames, p_interval=(0.9, 1.0), min_frames=min_frames
)
whole = dict(type='TemporalCropResize', clip_len=num_frames, p_interval=0.95)
vary = [dict(type='MotionTimeWarp')]
if mirror:
    vary.append(dict(type='RandomMirror', left=summary['left'], right=summary['right']))
end = [
    dict(type='FormatGCNInput', num_person=summary['num_person']),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
# nearly the whole clip, nearly as it stands
train_pipeline = [*begin, crop, *vary, dict(type='RandomRot', theta=(0.05, 0.3, 0.05)), *end]
test_pipeline = [*begin, whole, vary[0], *end]
del begin, crop, end, vary, whole

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
if num_classes is None:  # recordings without labels: nothing to judge by
    val_cfg = val_dataloader = val_evaluator = None
del data, given, layout, min_frames, mirror, neighbors, num_frames, per_epoch, pretrain_iters, start
del splits, summary, train_clips, train_split, turn, val_split
