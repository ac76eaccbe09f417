_base_ = [
    '../_base_/models/mamp_vit-8l-256d.py',
    '../_base_/datasets/pku2-xsub.py',
    '../_base_/schedules/mamp_adamw_8xb16-400e.py',
    '../_base_/default_runtime.py',
]
