#!/usr/bin/env bash
# Installs the tested set of packages and runs the tests on all cores.
#
#   tools/run_tests.sh [options of pytest]
#
# In the active virtual environment; in .venv, which it makes, where none is.
# Tests that start processes or build wheels are left out; `-m slow` runs those.
# `-n 0` runs all in one process, for a debugger.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_env.sh"
stars_env
cd "$ROOT"

cores=()
if python -c 'import xdist' 2>/dev/null; then
    cores=(-n auto --maxprocesses 8 --dist loadfile)
    # a process a core: threads of their own would only get in each other's way
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"
    export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
fi
exec python -m pytest ${cores[@]+"${cores[@]}"} "$@"
