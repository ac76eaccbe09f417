from stars_mm.models.algorithms import *  # noqa: F401,F403
from stars_mm.models.backbones import *  # noqa: F401,F403
from stars_mm.models.data_preprocessors import *  # noqa: F401,F403
from stars_mm.models.heads import *  # noqa: F401,F403
from stars_mm.models.necks import *  # noqa: F401,F403
from stars_mm.models.recognizers import *  # noqa: F401,F403
