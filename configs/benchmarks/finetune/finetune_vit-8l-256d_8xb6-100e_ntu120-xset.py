_base_ = ['finetune_vit-8l-256d_8xb6-100e_ntu120-xsub.py']

train_dataloader = dict(dataset=dict(split='xset_train'))
val_dataloader = dict(dataset=dict(split='xset_val'))
test_dataloader = val_dataloader
