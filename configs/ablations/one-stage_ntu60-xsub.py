_base_ = ['../mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py']

model = dict(
    type='MAMPNNCLR', contrast_head=dict(type='NNCLRHead', in_channels=256, queue_size=32768)
)
