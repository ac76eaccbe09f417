_base_ = ['../stars_ntu60.py']

model = dict(head=dict(_delete_=True, type='DINOHead', in_channels=256))
