#!/usr/bin/env bash
# Exhaustive checks and benchmarks of the attention kernels; they run for hours to days.
#   scripts/glga_grid.sh check [FIRST STEP]    compares fused attention with plain ops in f64, output and all gradients, for
#                                              every combination of head, tokens, window, drop, gates, branches, dtype and
#                                              backward variant: 387072 cases in 8064 parts of 48 that share their kernels.
#                                              The full grid takes days on two cores. FIRST STEP selects the parts FIRST,
#                                              FIRST + STEP, ... as a sample, such as 7 211. Finished parts are recorded in
#                                              build/glga_grid.txt and skipped, so the same command resumes
#   scripts/glga_grid.sh bench [FILE]          eflow bench glga over tokens 512..32768, heads, drop, dtypes, threads; JSON
source "$(dirname "$0")/common.sh"

usage() {
  sed -n 's/^#   /  /p' "$0" >&2
  exit 2
}

readonly kParts=8064 kDone=build/glga_grid.txt

# check_part PART: runs one part unless it is done; appends its line to kDone.
check_part() {
  if grep -qs "^part $1 of $kParts:" "$kDone"; then return; fi
  local said
  said=$(build/release/tests/test.core.attention.glga --report_level=no -- long "$1" "$kParts") || {
    echo "$said"
    say "part $1 of $kParts failed; the cases are above" >&2
    exit 1
  }
  grep "^part $1 of $kParts:" <<<"$said" | tee -a "$kDone"
}

# Summary of the finished parts: number of cases, and the worst case.
sum_up() {
  awk -v parts="$kParts" '{ cases += $5 } $9 > worst { worst = $9; line = $0 } END {
    printf "%d of %d parts done, %d cases; the worst:\n%s\n", NR, parts, cases, line }' "$kDone"
}

[ $# -ge 1 ] || usage
what=$1
shift
case $what in
  check)
    [ $# -eq 0 ] || [ $# -eq 2 ] || usage
    need_packages "${kBuildPackages[@]}" "${kTestPackages[@]}"
    configure "${EFLOW_PRESET:-ci}" -DEFLOW_BUILD_TESTS=ON
    build test.core.attention.glga
    say "checking"
    for ((part = ${1:-0}; part < kParts; part += ${2:-1})); do check_part "$part"; done
    sum_up
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
