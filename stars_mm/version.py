# Copyright (c) stars_mm contributors. Licensed under Apache-2.0.
__version__ = '0.1.0'
