_base_ = ['../stars_ntu60.py']

stream = dict(type='StreamPreprocessor', stream='motion', layout='nturgb+d', scale=10.0)
model = dict(data_preprocessor=stream)
stages = _base_.stages
stages[0]['options'] = dict(model=dict(data_preprocessor=stream))
protocols = dict(_delete_=True, linear='streams/linear_motion_ntu60-xsub.py')
del stream
