_base_ = ['../../stars_demo.py', '../../_base_/evaluators/knn.py']

# takes the encoder of MAMP or STARS
test_evaluator = _base_.knn_evaluator
