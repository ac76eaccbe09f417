_base_ = ['../finetune/finetune_vit-8l-256d_8xb6-100e_ntu60-xsub.py']

# the first of five draws: python tools/data/draw_subset.py
# data/skeleton/ntu60_3d.pkl xsub_train data/skeleton/subsets
train_dataloader = dict(
    dataset=dict(subset='data/skeleton/subsets/ntu60_3d_xsub_train_1pct_random_seed0_draw0.txt')
)
