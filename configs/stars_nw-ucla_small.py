_base_ = [
    '_base_/models/stars_vit-4l-128d.py', '_base_/datasets/nw-ucla.py',
    '_base_/schedules/stars_adamw_8xb16-20e.py', '_base_/default_runtime.py'
]

stages = [
    dict(
        name='pretrain',
        config='mamp/mamp_vit-4l-128d_1xb32-100e_nw-ucla.py',
        options={})
]

model = dict(
    backbone=dict(num_frames=64, num_joints=20), head=dict(queue_size=512))

train_dataloader = dict(
    dataset=dict(pipeline=[
        dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
        dict(
            type='MultiView',
            num_views=2,
            transforms=[
                dict(
                    type='TemporalCropResize',
                    clip_len=64,
                    p_interval=(0.5, 1.0),
                    min_frames=24),
                dict(type='RandomRot', theta=(0.3, 0.6, 0.3))
            ]),
        dict(type='FormatGCNInput', num_person=1),
        dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir'))
    ]))
optim_wrapper = dict(
    optimizer=dict(lr=5e-4),
    paramwise_cfg=dict(layer_decay=1.0, num_trainable_layers=2))
auto_scale_lr = dict(base_batch_size=32)
