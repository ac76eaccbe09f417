_base_ = ['../stars_ntu60.py']

stream = dict(type='StreamPreprocessor', stream='bone', layout='nturgb+d')
model = dict(data_preprocessor=stream)
stages = _base_.stages
stages[0]['options'] = dict(model=dict(data_preprocessor=stream))
protocols = dict(_delete_=True, linear='streams/linear_bone_ntu60-xsub.py')
del stream
