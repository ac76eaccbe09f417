_base_ = [
    '../benchmarks/linear/linear_vit-4l-128d_1xb32-50e_nw-ucla.py',
    '../_base_/models/stgcnpp-16c_nw-ucla.py',
]

model = dict(backbone=_base_.backbone, cls_head=dict(in_channels=64))
