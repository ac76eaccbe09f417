_base_ = [
    '../benchmarks/linear/linear_vit-8l-256d_8xb32-100e_ntu60-xsub.py',
    '../_base_/models/stgcnpp.py',
]

model = dict(backbone=_base_.backbone)
