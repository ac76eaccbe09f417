_base_ = ['stars_vit-8l-256d_8xb16-20e_ntu60-xsub.py']

train = dict(dataset=dict(split='xview_train'))
val = dict(dataset=dict(split='xview_val'))
train_dataloader = train
val_dataloader = val
test_dataloader = val
val_cfg = dict(bank_dataloader=train)
test_cfg = dict(bank_dataloader=train)
