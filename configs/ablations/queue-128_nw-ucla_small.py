_base_ = ['../stars_nw-ucla_small.py']

model = dict(head=dict(queue_size=128))
