_base_ = ['../stars_ntu60.py']

model = dict(head=dict(queue_size=16384))
