_base_ = ['linear_vit-8l-256d_8xb32-100e_ntu60-xsub.py']

train_dataloader = dict(dataset=dict(split='xview_train'))
val_dataloader = dict(dataset=dict(split='xview_val'))
test_dataloader = val_dataloader
