_base_ = ['../../stars_ntu60.py', '../../_base_/evaluators/fewshot.py']

# the 60 actions of NTU-120 that NTU-60 lacks, in the cross-subject split; the
# clips are made as those that the encoder was trained on
test_dataloader = dict(
    dataset=dict(
        ann_file='data/skeleton/ntu120_3d.pkl',
        num_classes=120,
        labels=[f'A{number:03d}' for number in range(61, 121)],
    )
)
test_cfg = dict(bank_dataloader=test_dataloader)
test_evaluator = _base_.fewshot_evaluator
protocols = dict(_delete_=True)
