_base_ = ['stars/stars_vit-8l-256d_8xb16-20e_ntu120-xsub.py']

stages = [
    dict(name='pretrain', config='mamp/mamp_vit-8l-256d_8xb16-400e_ntu120-xsub.py', options={})
]

protocols = dict(
    linear='benchmarks/linear/linear_vit-8l-256d_8xb32-100e_ntu120-xsub.py',
    finetune='benchmarks/finetune/finetune_vit-8l-256d_8xb6-100e_ntu120-xsub.py',
    transfer='benchmarks/transfer/transfer_vit-8l-256d_8xb6-100e_pku2-xsub.py',
)
