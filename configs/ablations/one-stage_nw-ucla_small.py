_base_ = ['../mamp/mamp_vit-4l-128d_1xb32-150e_nw-ucla.py']

model = dict(
    type='MAMPNNCLR',
    contrast_head=dict(type='NNCLRHead', in_channels=128, hidden_channels=1024, queue_size=512),
)
