#!/usr/bin/env bash
# Runs a Python test with the virtual environment of the scripts, or, without one, with the system's Python.
set -euo pipefail
python=${EFLOW_VENV:-$HOME/.cache/eflow/venv}/bin/python
[ -x "$python" ] || python=/usr/bin/python3
[ -x "$python" ] || { echo "skipped: no Python"; exit 77; }
here=$(cd "$(dirname "$1")" && pwd)
export PYTHONPATH=$here/../../../scripts/python:$here PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1
exec "$python" "$@"
