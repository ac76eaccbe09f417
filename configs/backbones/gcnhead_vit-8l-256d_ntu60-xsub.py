_base_ = ['../benchmarks/finetune/finetune_vit-8l-256d_8xb6-100e_ntu60-xsub.py']

# mmaction2's head on the mean of all tokens
model = dict(cls_head=dict(_delete_=True, type='GCNHead', num_classes=60, in_channels=256))
