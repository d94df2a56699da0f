#!/usr/bin/env bash
# The long checks of the attention kernels. Some hours for all of it; a PART of PARTS takes its share of the time.
#   scripts/glga_grid.sh check [PART PARTS]    fused against plain ops in f64, output and all gradients: every combination of
#                                              head, tokens, window, drop, gates, branches, dtype and kind of backward pass
#   scripts/glga_grid.sh bench [FILE]          eflow bench glga over tokens 512..32768, heads, drop, dtypes, threads; JSON
source "$(dirname "$0")/common.sh"

usage() {
  sed -n 's/^#   /  /p' "$0" >&2
  exit 2
}

[ $# -ge 1 ] || usage
what=$1
shift
case $what in
  check)
    [ $# -eq 0 ] || [ $# -eq 2 ] || usage
    need_packages "${kBuildPackages[@]}" "${kTestPackages[@]}"
    configure "${EFLOW_PRESET:-ci}" -DEFLOW_BUILD_TESTS=ON
    build test.core.glga
    say "checking"
    build/release/tests/test.core.glga -- long "$@"
    ;;
  bench)
    [ $# -le 1 ] || usage
    file=${1:-build/glga_grid.json}
    need_packages "${kBuildPackages[@]}"
    configure "${EFLOW_PRESET:-release}"
    build eflow
    say "measuring into $file"
    build/release/bin/eflow bench glga --tokens 512,1024,2048,4096,8192,16384,32768 --window 1024 \
      --head 64,72,96,128 --drop 0,75 --dtype both --seconds 0.3 --json >"$file"
    ;;
  *) usage ;;
esac
