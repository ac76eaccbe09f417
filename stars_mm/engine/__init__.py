from stars_mm.engine.hooks import *  # noqa: F401,F403
from stars_mm.engine.optimizers import *  # noqa: F401,F403
from stars_mm.engine.runner import *  # noqa: F401,F403
