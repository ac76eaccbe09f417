_base_ = ['stars/stars_vit-8l-256d_8xb16-20e_pku2-xsub.py']

stages = [
    dict(
        name='pretrain',
        config='mamp/mamp_vit-8l-256d_8xb16-400e_pku2-xsub.py',
        options={})
]
