_base_ = ['mamp_vit-8l-256d_8xb16-400e_ntu120-xsub.py']

train_dataloader = dict(dataset=dict(split='xset_train'))
val_dataloader = dict(dataset=dict(split='xset_val'))
test_dataloader = val_dataloader
val_cfg = dict(bank_dataloader=train_dataloader)
test_cfg = val_cfg
