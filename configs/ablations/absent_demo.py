_base_ = ['../stars_demo.py']

# in stage 1 an empty slot is encoded, hidden and scored like a person, as in
# the reference
stages = _base_.stages
stages[0]['options'] = dict(model=dict(skip_absent=False))
