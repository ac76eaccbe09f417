# Sourced by run_tests.sh and quickstart.sh.
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# stars_env: makes sure that `python` is one with the tested set of packages and
# this checkout installed. Where no virtual environment is active, it makes and
# activates one in .venv, with $PYTHON (python3).
stars_env() {
    if [ ! -f "$ROOT/setup.py" ]; then
        echo "$ROOT is not a checkout of stars_mm: clone the repository" >&2
        return 1
    fi
    _stars_activate || return
    local wanted stamp
    wanted="$(_stars_wanted)" || return
    stamp="$(python -c 'import sys; print(sys.prefix)')/.stars_mm"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    echo "Installing requirements/lock.txt and stars_mm ..."
    local quiet=()
    if [ ! -t 1 ]; then
        quiet=(--quiet)
    fi
    _stars_lock | python -m pip install --disable-pip-version-check \
        ${quiet[@]+"${quiet[@]}"} --requirement /dev/stdin || return
    python -m pip install --quiet --disable-pip-version-check \
        --no-deps --no-build-isolation --editable "$ROOT" || return
    echo "$wanted" >"$stamp"
}

_stars_activate() {
    local active="${VIRTUAL_ENV:-}"
    if [ -z "$active" ] && [ "${CONDA_DEFAULT_ENV:-base}" != base ]; then
        active="$CONDA_PREFIX"
    fi
    if [ -z "$active" ]; then
        local base="${PYTHON:-python3}"
        if ! "$base" -c 'import sys
sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'; then
            echo "stars_mm needs Python 3.10, 3.11 or 3.12; $base is" \
                "$("$base" --version 2>&1): set PYTHON to one of them" >&2
            return 1
        fi
        if [ ! -x "$ROOT/.venv/bin/python" ]; then
            echo "Making a virtual environment in .venv ..."
            "$base" -m venv "$ROOT/.venv" || return
        fi
        active="$ROOT/.venv"
        export VIRTUAL_ENV="$active"
    fi
    export PATH="$active/bin:$PATH"
}

# The lock, less mmcv-lite where a full mmcv is installed, and less mmengine, too, where the
# maintained forks are: they fill the same folders.
_stars_lock() {
    local left_out='^$'
    if python -m pip show --quiet onedl-mmengine 2>/dev/null; then
        left_out='^(mmcv-lite|mmengine)=='
    elif python -m pip show --quiet mmcv 2>/dev/null; then
        left_out='^mmcv-lite=='
    fi
    grep -Ev "$left_out" "$ROOT/requirements/lock.txt"
}

# What an environment was made from: another lock or checkout makes it stale.
_stars_wanted() {
    python - "$ROOT" <<'EOF'
import hashlib
import pathlib
import sys
root = pathlib.Path(sys.argv[1])
text = sys.version + str(root)
for name in ('requirements/lock.txt', 'setup.py', 'stars_mm/version.py'):
    text += (root / name).read_text()
print(hashlib.sha256(text.encode()).hexdigest())
EOF
}
