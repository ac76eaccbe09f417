_base_ = ['../ablations/mamp-nnclr_nw-ucla_small.py']

stream = dict(type='StreamPreprocessor', stream='bone', layout='nw-ucla')
model = dict(data_preprocessor=stream)
stages = _base_.stages
stages[0]['options'] = dict(model=dict(data_preprocessor=stream))
protocols = dict(_delete_=True, linear='streams/linear_bone_nw-ucla_small.py')
del stream
