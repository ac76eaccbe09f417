_base_ = ['../stars_ntu60.py']

stages = [
    dict(name='pretrain', config='mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xview.py', options={})
]

protocols = dict(
    _delete_=True,
    linear='benchmarks/linear/linear_vit-8l-256d_8xb32-100e_ntu60-xview.py',
    finetune='benchmarks/finetune/finetune_vit-8l-256d_8xb6-100e_ntu60-xview.py',
    semi='benchmarks/semi/semi_vit-8l-256d_8xb6-100e_ntu60-xview-10pct.py',
    transfer='benchmarks/transfer/transfer_vit-8l-256d_8xb6-100e_pku2-xsub.py',
)

train_dataloader = dict(dataset=dict(split='xview_train'))
val_dataloader = dict(dataset=dict(split='xview_val'))
test_dataloader = val_dataloader
val_cfg = dict(bank_dataloader=train_dataloader)
test_cfg = val_cfg
