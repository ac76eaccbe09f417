_base_ = [
    '_base_/models/stars_vit-8l-256d.py',
    '_base_/datasets/ntu60-xsub.py',
    '_base_/schedules/stars_adamw_8xb16-20e.py',
    '_base_/default_runtime.py',
]

stages = [
    dict(name='pretrain', config='mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py', options={})
]

protocols = dict(
    linear='benchmarks/linear/linear_vit-8l-256d_8xb32-100e_ntu60-xsub.py',
    finetune='benchmarks/finetune/finetune_vit-8l-256d_8xb6-100e_ntu60-xsub.py',
    semi='benchmarks/semi/semi_vit-8l-256d_8xb6-100e_ntu60-xsub-10pct.py',
    transfer='benchmarks/transfer/transfer_vit-8l-256d_8xb6-100e_pku2-xsub.py',
    fewshot='benchmarks/fewshot/fewshot_vit-8l-256d_ntu60-to-ntu120.py',
)

# two identical views, so one: the whole clip, without augmentation
train_dataloader = dict(dataset=dict(pipeline=_base_.whole_clip_pipeline))

# on a GPU; a CPU computes in single precision and compiles nothing
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0)
compile = True
