_base_ = ['../benchmarks/linear/linear_vit-4l-128d_1xb32-50e_nw-ucla.py']

model = dict(
    data_preprocessor=dict(type='StreamPreprocessor', stream='motion', layout='nw-ucla', scale=10.0)
)
