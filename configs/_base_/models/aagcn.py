backbone = dict(_delete_=True, type='AAGCN', graph_cfg=dict(layout='nturgb+d', mode='spatial'))
