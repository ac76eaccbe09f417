"""The recipes against the numbers that the paper and the authors' configuration files give."""

import pytest

ENCODER = dict(type='SkeletonTransformer', in_channels=3, num_frames=120, num_joints=25)
ENCODER |= dict(embed_dims=256, depth=8, num_heads=8, mlp_ratio=4, tubelet_size=4)
# data: recipe; tau and blocks of the decoder; alpha and learning rate of stage 2; learning rate and
# batch of the linear classifier; how an absent second person is filled
RECIPES = {
    'ntu60-xsub': ('stars_ntu60', 0.80, 3, 0.45, 1e-3, 0.1, 256, 'zero'),
    'ntu60-xview': ('stars/{}', 0.80, 3, 0.45, 1e-3, 0.1, 256, 'zero'),
    'ntu120-xsub': ('stars_ntu120', 0.75, 5, 0.40, 1e-3, 0.1, 256, 'loop'),
    'ntu120-xset': ('stars/{}', 0.75, 5, 0.40, 1e-3, 0.1, 256, 'loop'),
    'pku1-xsub': ('stars_pku1', 0.80, 5, 0.35, 1e-4, 0.1, 128, 'zero'),
    'pku2-xsub': ('stars_pku2', 0.80, 5, 0.35, 1e-4, 0.01, 32, 'zero'),
}
UNIFORM = dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10))
WEIGHTED = dict(type='KNNMetric', topk_neighbors=(10, 20, 40), temperature=0.1)


@pytest.fixture(params=RECIPES)
def data(request):
    return request.param


@pytest.fixture
def stars(data, read):
    return read(RECIPES[data][0].format(f'stars_vit-8l-256d_8xb16-20e_{data}') + '.py')


def one_by_one(pipeline) -> list:
    """The transforms that a pipeline of workers and data preprocessor amounts to."""
    (views,) = (step.to_dict() for step in pipeline)
    steps = views.pop('transforms')
    assert views.pop('type') == 'PackViews' and views.pop('num_views', 1) == 1
    return [*steps, views]


def test_data(data, stars):
    mode = RECIPES[data][-1]
    base, protocol = data.split('-')
    ends = dict(num_person=2, mode=mode, meta_keys=('sample_idx', 'frame_dir'))
    center = dict(type='CenterSkeleton', center_joint=1)
    assert stars.ann_file == f'data/skeleton/{base}_3d.pkl'
    assert stars.train_dataloader.dataset.split == f'{protocol}_train'
    assert stars.test_dataloader.dataset.split == f'{protocol}_val'
    assert one_by_one(stars.train_pipeline) == [
        center,
        dict(type='TemporalCropResize', clip_len=120, p_interval=(0.5, 1.0), min_frames=64),
        dict(type='RandomRot', theta=0.3),
        ends,
    ]
    # stage 2: the whole clip, as it is
    assert one_by_one(stars.train_dataloader.dataset.pipeline) == [
        center,
        dict(type='TemporalCropResize', clip_len=120, p_interval=1.0),
        ends,
    ]
    assert stars.test_dataloader.dataset.pipeline == [
        center,
        dict(type='TemporalCropResize', clip_len=120, p_interval=0.95),
        dict(type='FormatGCNInput', num_person=2, mode=mode),
        dict(type='PackActionInputs', meta_keys=ends['meta_keys']),
    ]
    for loader in (stars.train_dataloader, stars.test_dataloader, stars.test_cfg.bank_dataloader):
        assert loader.collate_fn == dict(type='collate_clips') and loader.pin_memory
    assert stars.val_evaluator == [UNIFORM, WEIGHTED]
    assert stars.test_evaluator == [UNIFORM, dict(type='ClusterMetric')]


def test_stage_1(data, stars, read):
    cfg = read(stars.stages[0].config)
    assert stars.stages[0].options == {}
    assert cfg.train_dataloader.dataset.pipeline == stars.train_pipeline
    neck = dict(type='MAMPDecoder', embed_dims=256, num_heads=8, mlp_ratio=4)
    assert cfg.model == dict(
        type='MAMP',
        backbone=ENCODER,
        neck=dict(neck, depth=RECIPES[data][2]),
        head=dict(type='MAMPHead', norm_target=True, motion_stride=1),
        mask_ratio=0.9,
        motion_aware_tau=RECIPES[data][1],
    )
    adam = dict(type='AdamW', lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05)
    assert cfg.optim_wrapper.optimizer == adam
    assert 'paramwise_cfg' not in cfg.optim_wrapper
    assert (cfg.train_cfg.max_epochs, cfg.auto_scale_lr.base_batch_size) == (400, 128)


def test_stage_2(data, stars):
    alpha, lr = RECIPES[data][3:5]
    head = dict(type='NNCLRHead', in_channels=256, hidden_channels=4096, queue_size=32768)
    head |= dict(temperature=0.07, topk=0)
    assert stars.model == dict(type='STARS', backbone=ENCODER, head=head)
    # weight decay: torch's default, which acted in the reference
    adam = dict(type='AdamW', lr=lr, betas=(0.9, 0.95), weight_decay=0.01)
    assert stars.optim_wrapper.optimizer == adam
    layers = dict(layer_decay=alpha, num_trainable_layers=4, decay_1d=True)
    assert stars.optim_wrapper.paramwise_cfg == layers
    assert stars.custom_hooks == [dict(type='PerTensorGradClipHook', max_norm=3.0)]
    assert stars.param_scheduler == []
    assert (stars.train_cfg.max_epochs, stars.auto_scale_lr.base_batch_size) == (20, 128)


def test_linear(data, stars, read):
    lr, batch = RECIPES[data][5:7]
    cfg = read(stars.protocols.linear)
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=lr, momentum=0.9, weight_decay=0.0)
    assert cfg.model.pop('data_preprocessor') == dict(type='SkeletonPreprocessor')
    head = dict(type='LinearProbeHead', in_channels=256, num_classes=cfg.num_classes)
    assert cfg.model == dict(type='FrozenRecognizerGCN', backbone=ENCODER, cls_head=head)
    assert (cfg.train_cfg.max_epochs, cfg.auto_scale_lr.base_batch_size) == (100, batch)


def test_finetune(data, stars, read):
    paths = {stars.protocols[kind] for kind in ('finetune', 'semi') if kind in stars.protocols}
    for cfg in map(read, paths):
        adam = dict(type='AdamW', lr=3e-4, betas=(0.9, 0.999), weight_decay=0.05)
        assert cfg.optim_wrapper.optimizer == adam
        assert cfg.optim_wrapper.paramwise_cfg == dict(layer_decay=0.8, decay_1d=False)
        assert cfg.model.backbone == dict(ENCODER, drop_path_rate=0.3)
        head = dict(type='JointMLPHead', in_channels=256, num_joints=25, hidden_channels=2048)
        head |= dict(dropout=0.3, label_smooth_eps=0.1, num_classes=cfg.num_classes)
        assert cfg.model.cls_head == head
        assert (cfg.train_cfg.max_epochs, cfg.auto_scale_lr.base_batch_size) == (100, 48)


def test_few_shot_classes_are_new(fewshot, read):
    """No stage trains on a class that the test has; bank and query have the same."""
    cfg = read(fewshot)
    bank, query = cfg.test_cfg.bank_dataloader.dataset, cfg.test_dataloader.dataset
    assert (bank.labels, bank.ann_file) == (query.labels, query.ann_file)
    assert bank.split.replace('_train', '_val') == query.split
    fewshot_metric = dict(type='FewShotMetric', shots=(1, 2, 5, 10), episodes=100)
    assert cfg.test_evaluator == [fewshot_metric, UNIFORM, dict(type='ClusterMetric')]
    assert not cfg.protocols  # they would train on all classes
    if '-to-' in fewshot:  # the encoder of NTU-60 xsub, the 60 further classes of NTU-120
        trained = read('stars_ntu60.py')
        assert cfg.model == trained.model and cfg.train_dataloader == trained.train_dataloader
        assert (query.ann_file, query.num_classes) == ('data/skeleton/ntu120_3d.pkl', 120)
        assert query.labels == [f'A{n:03d}' for n in range(61, 121)]
        assert query.split == 'xsub_val'
        assert query.pipeline == trained.test_dataloader.dataset.pipeline
        return
    (stage,) = cfg.stages
    for run in (cfg, stage.options):
        for loader in (run.train_dataloader, run.val_dataloader, run.val_cfg.bank_dataloader):
            assert sorted([*loader.dataset.labels, *query.labels]) == [*range(query.num_classes)]
