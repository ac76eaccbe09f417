model = dict(
    type='FrozenRecognizerGCN',
    data_preprocessor=dict(type='SkeletonPreprocessor'),
    backbone=dict(
        type='SkeletonTransformer',
        in_channels=3,
        embed_dims=256,
        depth=8,
        num_heads=8,
        mlp_ratio=4,
        num_frames=120,
        num_joints=25,
        tubelet_size=4,
    ),
    cls_head=dict(type='LinearProbeHead', in_channels=256),
)
