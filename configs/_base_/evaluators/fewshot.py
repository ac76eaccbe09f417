# all classes of the bank in every draw; beside it, the whole bank as examples
fewshot_evaluator = [
    dict(type='FewShotMetric', shots=(1, 2, 5, 10), episodes=100),
    dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)),
    dict(type='ClusterMetric'),
]
