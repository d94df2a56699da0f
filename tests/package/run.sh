#!/usr/bin/env bash
# run.sh SOURCE BUILD WORK: installs BUILD under WORK, then builds and runs app against the installed package; then configures
# app with the source tree as a subdirectory (that the same targets exist there; building them twice would only cost time).
set -euo pipefail
source=$1 build=$2 work=$3
rm -rf "$work"
cmake --install "$build" --prefix "$work/installed" >/dev/null
cmake -S "$source/tests/package/app" -B "$work/package" -G Ninja -DCMAKE_PREFIX_PATH="$work/installed" >/dev/null
cmake --build "$work/package"
"$work/package/app"
cmake -S "$source/tests/package/app" -B "$work/subdirectory" -G Ninja -DEFLOW_SOURCE_DIR="$source" >/dev/null
ninja -C "$work/subdirectory" -n app >/dev/null
