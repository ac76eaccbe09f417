"""Runs a program after stars_mm, which mends what keeps mmaction2 from being imported, such as a
newer mmcv than it knows.

    python -m stars_mm .../mmaction/.mim/tools/test.py CONFIG CHECKPOINT
    torchrun --nproc_per_node=2 -m stars_mm .../mmaction/.mim/tools/train.py CONFIG ...
"""

import runpy
import sys

if len(sys.argv) < 2:
    sys.exit(__doc__)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')
