# reported: uniform votes, k = 1; weighted votes are the monitor in training
knn_evaluator = [
    dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)),
    dict(type='KNNMetric', topk_neighbors=(10, 20, 40), temperature=0.1),
    dict(type='ClusterMetric'),
]
