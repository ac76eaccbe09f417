_base_ = ['mamp-nnclr_nw-ucla_small.py']

model = dict(head=dict(_delete_=True, type='DINOHead', in_channels=128, hidden_channels=1024))
