_base_ = ['../stars_ntu60.py']

# ST-GCN++ and AAGCN in its place: see docs/backbones.md
stages = [dict(name='pretrain', config='backbones/mamp_stgcn_ntu60-xsub.py', options={})]
protocols = dict(_delete_=True, linear='backbones/linear_stgcn_ntu60-xsub.py')

model = dict(
    backbone=dict(
        _delete_=True, type='STGCN', graph_cfg=dict(layout='nturgb+d', mode='stgcn_spatial')
    )
)

# no layer is frozen: its batch norms would keep the statistics of stage 1's
# masked clips
optim_wrapper = dict(paramwise_cfg=dict(num_trainable_layers=None))
