_base_ = ['../finetune/finetune_vit-8l-256d_8xb6-100e_ntu60-xsub.py']

# the first of five draws: python tools/data/draw_subset.py
# data/skeleton/ntu60_3d.pkl xview_train data/skeleton/subsets
train_dataloader = dict(
    dataset=dict(
        split='xview_train',
        subset='data/skeleton/subsets/ntu60_3d_xview_train_10pct_random_seed0_draw0.txt',
    )
)
val_dataloader = dict(dataset=dict(split='xview_val'))
test_dataloader = val_dataloader
