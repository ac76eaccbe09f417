_base_ = ['../../ablations/mamp-nnclr_demo.py', '../../_base_/evaluators/fewshot.py']

# trained on ten actions, tested on every third
seen = dict(dataset=dict(labels=[0, 1, 3, 4, 6, 7, 9, 10, 12, 13]))
unseen = dict(dataset=dict(labels=[2, 5, 8, 11, 14]))

stages = _base_.stages
stages[0]['options'] = dict(
    train_dataloader=seen, val_dataloader=seen, val_cfg=dict(bank_dataloader=seen)
)
train_dataloader = seen
val_dataloader = seen
val_cfg = dict(bank_dataloader=seen)
test_dataloader = unseen
test_cfg = dict(bank_dataloader=unseen)
test_evaluator = _base_.fewshot_evaluator
protocols = dict(_delete_=True)
del seen, unseen
