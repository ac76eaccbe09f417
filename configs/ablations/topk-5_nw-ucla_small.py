_base_ = ['../stars_nw-ucla_small.py']

model = dict(head=dict(topk=5))
