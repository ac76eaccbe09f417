_base_ = ['../benchmarks/linear/linear_vit-8l-256d_8xb32-100e_ntu60-xsub.py']

model = dict(data_preprocessor=dict(type='StreamPreprocessor', stream='bone', layout='nturgb+d'))
