_base_ = ['mamp_vit-8l-256d.py']

model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4),
    neck=dict(embed_dims=128, depth=2, num_heads=4))
