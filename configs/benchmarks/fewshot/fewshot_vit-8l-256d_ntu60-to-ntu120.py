_base_ = [
    '../../stars/stars_vit-8l-256d_8xb16-20e_ntu60-xsub.py',
    '../../_base_/evaluators/fewshot.py',
]

# the 60 actions of NTU-120 that NTU-60 lacks, in the cross-subject split; the
# clips are made as those that the encoder was trained on
novel = dict(
    dataset=dict(
        ann_file='data/skeleton/ntu120_3d.pkl',
        num_classes=120,
        labels=[f'A{number:03d}' for number in range(61, 121)],
    )
)
test_dataloader = novel
test_cfg = dict(bank_dataloader=novel)
test_evaluator = _base_.fewshot_evaluator
