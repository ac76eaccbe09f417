_base_ = ['../finetune/finetune_vit-8l-256d_1xb48-100e_nw-ucla.py']

# 102 clips, 6 iterations an epoch. The first of five draws:
# python tools/data/draw_subset.py data/skeleton/nw-ucla.pkl xview_train
# data/skeleton/subsets
train_dataloader = dict(
    batch_size=16,
    dataset=dict(subset='data/skeleton/subsets/nw-ucla_xview_train_10pct_random_seed0_draw0.txt'),
)
train_cfg = dict(val_interval=50)
auto_scale_lr = dict(base_batch_size=16)
