# for recordings by the hundred: a small encoder whose tokens know their place,
# so that even untrained their mean tells which joint moved when
model = dict(
    type='STARS',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=256,
        depth=2,
        num_heads=4,
        num_frames=64,
        num_joints=20,
        tubelet_size=8,
        mean_share=0.7,
        gate_scale=3.0,
        residual_scale=0.1,
    ),
    head=dict(type='SimilarityHead'),
    keep_ratio=0.7,
)
