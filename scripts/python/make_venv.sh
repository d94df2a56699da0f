#!/usr/bin/env bash
# Makes the virtual environment of the scripts in this folder, outside the repository.
#
#     scripts/python/make_venv.sh
#
# EFLOW_VENV       the folder; default: ~/.cache/eflow/venv
# EFLOW_PYTHON     the interpreter; default: /usr/bin/python3
# PIP_FIND_LINKS   a folder with wheels to prefer, such as a CPU-only PyTorch (pip's own variable)
#
# Installs requirements.txt as a whole. If that fails, installs what it can of it one by one and says what is missing:
# each script names the packages that it needs. Running it again completes the environment.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${EFLOW_VENV:-$HOME/.cache/eflow/venv}
python=${EFLOW_PYTHON:-/usr/bin/python3}

if ! [ -x "$venv/bin/python" ]; then
  echo "making $venv"
  if ! "$python" -m venv "$venv"; then
    rm -rf "$venv"
    echo "$python cannot make a virtual environment; install python3-venv (apt-get install python3-venv)" >&2
    exit 1
  fi
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

missing=()
if ! pip install --quiet -r "$here/requirements.txt"; then
  while read -r package; do
    pip install --quiet "$package" || missing+=("$package")
  done < <(grep -v '^ *#' "$here/requirements.txt")
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "$venv: could not install ${missing[*]}" >&2
  exit 1
fi
echo "$venv: complete"
