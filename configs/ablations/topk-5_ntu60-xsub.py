_base_ = ['../stars_ntu60.py']

model = dict(head=dict(topk=5))
