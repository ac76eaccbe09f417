_base_ = ['mamp_vit-8l-256d.py']

# small enough for minutes on a CPU; of the 200 tokens a person has here, a
# tenth would be fewer than there are joints
model = dict(
    backbone=dict(embed_dims=64, depth=4, num_heads=4, num_frames=64, tubelet_size=8),
    neck=dict(embed_dims=64, depth=1, num_heads=4),
    mask_ratio=0.8,
    skip_absent=True,
)
