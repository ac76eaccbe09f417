from stars_mm.evaluation.metrics import *  # noqa: F401,F403
