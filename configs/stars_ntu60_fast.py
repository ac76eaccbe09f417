_base_ = ['stars_ntu60.py']

stages = _base_.stages
stages[0]['config'] = 'mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub_fast.py'

# workers hand over whole batches
loader = dict(pin_memory=True, collate_fn=dict(type='collate_clips'))
train_dataloader = loader
val_dataloader = loader
test_dataloader = loader
val_cfg = dict(bank_dataloader=loader)
test_cfg = dict(bank_dataloader=loader)
