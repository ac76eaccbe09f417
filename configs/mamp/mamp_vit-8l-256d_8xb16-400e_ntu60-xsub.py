_base_ = [
    '../_base_/models/mamp_vit-8l-256d.py',
    '../_base_/datasets/ntu60-xsub.py',
    '../_base_/schedules/mamp_adamw_8xb16-400e.py',
    '../_base_/default_runtime.py',
]

model = dict(neck=dict(depth=3))

# on a GPU; a CPU computes in single precision and compiles nothing
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0)
compile = True
