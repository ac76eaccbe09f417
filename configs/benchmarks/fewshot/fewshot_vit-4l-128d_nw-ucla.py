_base_ = ['../../ablations/mamp-nnclr_nw-ucla_small.py', '../../_base_/evaluators/fewshot.py']

# trained on the first seven actions, tested on the last three
seen = dict(dataset=dict(labels=[0, 1, 2, 3, 4, 5, 6]))
unseen = dict(dataset=dict(labels=[7, 8, 9]))

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
