_base_ = ['ntu60-xsub.py']

data = dict(dataset=dict(ann_file='data/skeleton/pku1_3d.pkl', num_classes=51))
train_dataloader = data
val_dataloader = data
test_dataloader = data
val_cfg = dict(bank_dataloader=data)
test_cfg = dict(bank_dataloader=data)
