_base_ = ['linear_vit-8l-256d.py']

model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4, num_frames=64, tubelet_size=8),
    cls_head=dict(in_channels=128),
)
