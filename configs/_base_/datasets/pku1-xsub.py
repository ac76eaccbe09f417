_base_ = ['ntu60-xsub.py']

ann_file = 'data/skeleton/pku1_3d.pkl'
num_classes = 51

train_dataloader = dict(dataset=dict(ann_file=ann_file, num_classes=num_classes))
val_dataloader = train_dataloader
test_dataloader = train_dataloader
val_cfg = dict(bank_dataloader=train_dataloader)
test_cfg = val_cfg
