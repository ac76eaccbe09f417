_base_ = ['stars_ntu60.py']

stages = _base_.stages
stages[0]['config'] = 'mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub_fast.py'
