_base_ = ['../benchmarks/linear/linear_vit-8l-256d_8xb32-100e_ntu60-xsub.py']

model = dict(
    backbone=dict(
        _delete_=True, type='STGCN', graph_cfg=dict(layout='nturgb+d', mode='stgcn_spatial')
    )
)
