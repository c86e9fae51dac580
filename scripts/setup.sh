#!/bin/sh
# Builds .venv from the pinned requirements and installs stashplex into it. Needs Python 3.11 or newer and nothing else.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

fail() { printf 'setup: %s\n' "$1" >&2; exit 1; }

command -v "$python" >/dev/null 2>&1 || fail "no $python found; install Python 3.11 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$("$python" --version 2>&1) is too old; Python 3.11 or newer is needed"

if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    # Debian ships python3 without venv and pip.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    else
        fail "this Python has no venv module; run: sudo apt-get install python3-venv"
    fi
fi

[ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || { rm -rf .venv; "$python" -m venv .venv; }
[ -x .venv/bin/pip ] || .venv/bin/python -m ensurepip -q
printf 'setup: installing into .venv, which takes a minute or two …\n'
pip=".venv/bin/python -m pip --disable-pip-version-check"
$pip install -q --require-hashes -r requirements/build.txt
$pip install -q --require-hashes -r requirements/dev.txt
$pip install -q --no-deps --no-build-isolation -e .
touch .venv/.ready
printf 'setup: ready, %s\n' "$(.venv/bin/stashplex --version)"
