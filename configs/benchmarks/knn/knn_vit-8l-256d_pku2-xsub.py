_base_ = ['../../stars/stars_vit-8l-256d_8xb16-20e_pku2-xsub.py', '../../_base_/evaluators/knn.py']

# takes the encoder of MAMP or STARS
test_evaluator = _base_.knn_evaluator
