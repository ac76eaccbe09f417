# several data sets at once, whatever their joints, for what is trained without labels
# ---- Yours to change: the files; which clips are trained on (None: all) and which ask when the
# ---- features are judged; the layout, where the file does not say it. Of clips of many seconds
# ---- a smaller part is taken (p_interval). KARD: convert it with --reader-options mirror=True
sets = [
    dict(ann_file='data/skeleton/nw-ucla.pkl', split='xview_train', val='xview_val'),
    dict(ann_file='data/skeleton/utd-mhad.pkl', split='xsub_train', val='xsub_val'),
    dict(ann_file='data/skeleton/kard.pkl', split='xsub_train', val='xsub_val'),
    dict(ann_file='data/skeleton/cad60.pkl', split='xsub_train', val='xsub_val'),
    dict(ann_file='data/skeleton/bandai-namco.pkl', split=None, p_interval=(0.25, 0.75)),
]
# LEFT_OUT=kard python tools/train.py …: all but kard.pkl are trained on, and it judges
left_out = '{{$LEFT_OUT:none}}'
judge = 'nw-ucla'  # where none is left out
power = 0.5  # a set's share of an epoch goes with its size to this power: 0 is the same for all
epoch_size = None  # clips of an epoch; None: as many as there are
num_frames = 64  # frames of a clip after resizing, a multiple of 8
min_frames = 16  # least length of a random crop
batch_size = 48
# ----


def begin(one):
    """Common joints, the torso of the first frame at the origin, its shoulders along x."""
    return [
        dict(type='MapJoints', source=one.get('layout'), target='common-15'),
        dict(type='CenterSkeleton', center_joint=2, align=(3, 6)),
    ]


def crop(p_interval):
    return [
        dict(
            type='TemporalCropResize',
            clip_len=num_frames,
            p_interval=p_interval,
            min_frames=min_frames,
        ),
        dict(type='MotionTimeWarp'),
    ]


def data_set(one, split, *steps, **options):
    end = [
        dict(type='FormatGCNInput', num_person=1),
        dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
    ]
    return dict(
        type='SkeletonDataset',
        ann_file=one['ann_file'],
        split=split,
        pipeline=[*begin(one), *steps, *end],
        **options,
    )


names = [one['ann_file'].split('/')[-1].split('.')[0] for one in sets]
judge = sets[names.index(judge if left_out == 'none' else left_out)]
trained = [one for name, one in zip(names, sets) if name != left_out]
num_joints = 15

# of each set what is seen, and the whole clips that teach
whole = 'p_interval', 0.95
part = 'p_interval', (0.9, 1.0)
train_sets = [
    data_set(
        one, one['split'], *crop(one.get(*part)), dict(type='RandomRot', theta=(0.05, 0.3, 0.05))
    )
    for one in trained
]
whole_sets = [
    data_set(one, one['split'], *crop(one.get(*whole)), test_mode=True) for one in trained
]

loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    batch_size=batch_size,
    drop_last=True,
    sampler=dict(type='BalancedSampler', power=power, epoch_size=epoch_size),
    dataset=dict(type='UnionDataset', datasets=train_sets),
    **loader,
)
loader.update(batch_size=64, sampler=dict(type='DefaultSampler', shuffle=False))
val_dataloader = dict(dataset=data_set(judge, judge['val'], *crop(0.95), test_mode=True), **loader)
test_dataloader = val_dataloader
whole_dataloader = dict(dataset=dict(type='UnionDataset', datasets=whole_sets), **loader)
bank_dataloader = dict(
    dataset=data_set(judge, judge['split'], *crop(0.95), test_mode=True), **loader
)
val_cfg = dict(type='FeatureValLoop', bank_dataloader=bank_dataloader)
test_cfg = dict(type='FeatureTestLoop', bank_dataloader=bank_dataloader)
val_evaluator = [
    dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)),
    dict(type='KNNMetric', topk_neighbors=(10, 20, 40), temperature=0.1),
]
test_evaluator = [dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)), dict(type='ClusterMetric')]
del (
    bank_dataloader,
    judge,
    loader,
    min_frames,
    names,
    num_frames,
    part,
    power,
    trained,
    whole,
    whole_sets,
)
