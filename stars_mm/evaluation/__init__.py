from stars_mm.evaluation.baselines import knn_baselines  # noqa: F401
from stars_mm.evaluation.metrics import *  # noqa: F401,F403
from stars_mm.evaluation.part_features import PartFeatures  # noqa: F401
