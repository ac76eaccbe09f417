_base_ = ['mamp_vit-8l-256d_8xb16-400e_ntu120-xsub.py']

train = dict(dataset=dict(split='xset_train'))
val = dict(dataset=dict(split='xset_val'))
train_dataloader = train
val_dataloader = val
test_dataloader = val
val_cfg = dict(bank_dataloader=train)
test_cfg = dict(bank_dataloader=train)
