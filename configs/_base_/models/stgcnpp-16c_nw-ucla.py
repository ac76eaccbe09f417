_base_ = ['graph_nw-ucla.py']

# ST-GCN++ with a quarter of the channels: minutes on a CPU
backbone = dict(
    _delete_=True,
    type='STGCN',
    base_channels=16,
    gcn_adaptive='init',
    gcn_with_res=True,
    tcn_type='mstcn',
    num_person=1,
    graph_cfg=_base_.graph_cfg,
)
