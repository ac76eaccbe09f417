_base_ = ['mamp_vit-8l-256d.py']

# small enough for minutes on a CPU
model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4, num_frames=64, tubelet_size=8),
    neck=dict(embed_dims=64, depth=2, num_heads=4),
)
