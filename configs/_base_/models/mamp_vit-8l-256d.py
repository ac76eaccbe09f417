model = dict(
    type='MAMP',
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
    neck=dict(type='MAMPDecoder', embed_dims=256, depth=5, num_heads=8, mlp_ratio=4),
    head=dict(type='MAMPHead', norm_target=True, motion_stride=1),
    mask_ratio=0.9,
    motion_aware_tau=0.80,
)
