#!/usr/bin/env bash
# Interprets every kernel as NVRTC compiles it for sm_80 and sm_90a, without a GPU: all built-in kernels and all default
# configurations of attention, at small sizes against the CPU. Fails on a wrong result, a race, a missing wait or fence, an access
# out of bounds or misaligned, and if a kernel was not run. Prints a table of what ran; it takes about ten minutes of two cores.
#   scripts/check_ptx.sh [--sample] [CHECK_PTX [FILE]]
#     --sample    an eighth of it, without the table; what CTest runs
#     CHECK_PTX   the program (default build/release/tests/check_ptx)
#     FILE        where the table goes (default: standard output)
set -euo pipefail
cd "$(dirname "$0")/.."
sample=
if [ "${1:-}" = --sample ]; then sample=yes; shift; fi
program=${1:-build/release/tests/check_ptx} file=${2:-/dev/stdout}
[ -x "$program" ] || { echo "$program does not exist; build it first or pass its path" >&2; exit 2; }
if [ -n "$sample" ]; then exec "$program" --run_test=@sample --log_level=test_suite --color_output=no; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jobs=()
for arch in 80 90; do
  "$program" --run_test=sm_$arch --log_level=error --color_output=no -- "$work/table" >"$work/log.$arch" 2>&1 &
  jobs+=($!)
done
status=0
for job in "${jobs[@]}"; do
  code=0
  wait "$job" || code=$?
  [ $code -ne 77 ] || { cat "$work/log.80"; exit 77; }
  [ $code -eq 0 ] || status=1
done
cat "$work"/log.*
[ ! -e "$work/table-sm_80" ] || cat "$work"/table-sm_* >"$file"
exit $status
