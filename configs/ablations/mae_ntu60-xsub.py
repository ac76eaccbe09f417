_base_ = ['../stars_ntu60.py']

# stage 1 predicts coordinates, and hides joints whether they move or not
stages = _base_.stages
stages[0]['options'] = dict(model=dict(motion_aware_tau=None, head=dict(motion_stride=None)))
