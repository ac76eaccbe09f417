_base_ = ['../../stars_nw-ucla.py', '../../_base_/evaluators/knn.py']

# takes the encoder of MAMP or STARS
test_evaluator = _base_.knn_evaluator
