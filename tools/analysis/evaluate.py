"""The command ``stars-mm evaluate`` as a script."""

import sys
from functools import partial

from stars_mm.cli.main import run_script

main = partial(run_script, 'evaluate')

if __name__ == '__main__':
    sys.exit(main())
