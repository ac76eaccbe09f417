#!/usr/bin/env bash
# Installs the tested set of packages and runs the tests.
#
#   tools/run_tests.sh [options of pytest]
#
# In the active virtual environment; in .venv, which it makes, where none is.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_env.sh"
stars_env
cd "$ROOT"
exec python -m pytest tests "$@"
