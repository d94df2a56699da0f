#!/usr/bin/env bash
# scripts/gpu_check.sh rehearsed with little time: planted hangs, crashes and illegal addresses cost only their own step or test
# case, steps that do not fit the budget are named, and no process outlives the script, nor one that is interrupted.
#   gpu_check_test.sh SOURCE_FOLDER BUILD_FOLDER
set -euo pipefail
script=$1/scripts/gpu_check.sh
export EFLOW_BUILD=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export EFLOW_GPU_CHECK_TEST=$work  # marks every process of the visits

# What is left of them.
survivors() {
  local environment
  for environment in /proc/[0-9]*/environ; do
    [ "$environment" != "/proc/$$/environ" ] || continue
    if tr '\0' '\n' <"$environment" 2>/dev/null | grep -qxF "EFLOW_GPU_CHECK_TEST=$work"; then
      tr '\0' ' ' <"${environment%environ}cmdline" || true
      echo
    fi
  done 2>/dev/null
}
no_survivors() {
  local found
  found=$(survivors | grep -vE "^$|survivors|$0|grep|tr " || true)
  [ -z "$found" ] || { echo "$1 leaves processes: $found" >&2; exit 1; }
}
fail() {
  echo "$1" >&2
  cat "$work/output" >&2
  exit 1
}

# rehearse BUDGET: within the budget, but for what the last limits take.
rehearse() {
  local begin=$EPOCHSECONDS
  "$script" --rehearse --budget "$1" "$work/visit" >"$work/output" 2>&1 || fail "the rehearsal's report is not complete"
  [ $((EPOCHSECONDS - begin)) -le $(($1 + 12)) ] || fail "the rehearsal took $((EPOCHSECONDS - begin)) s of $1"
  no_survivors 'the rehearsal'
}

rehearse 20
grep -qE '^walk.keys left out: of the budget -?[0-9]+ s remain, its limit is 40 s$' "$work/visit/report.md" ||
  fail 'the last figure is not named as left out'
grep -qE '^Left out: .*step.B, .*walk.keys\.$' "$work/visit/report.md" || fail 'the summary does not name what was left out'

rehearse 170
grep -qE '^[0-9]+ s. Failed: .*injected.hang \(timed out\).*step.sprites.f32.graphs \(timed out\)' "$work/visit/report.md" ||
  fail 'the summary does not name what hung'
grep -q '^timed out (124): ops/exp_agrees_with_the_cpu ranks/two_ranks_on_one_gpu $' "$work/visit/report.md" || fail 'the case that hung is not named'
tar xzf "$work/visit/cases.tar.gz" -C "$work"
grep -q CUDA_ERROR_ILLEGAL_ADDRESS "$work/cases/ops.sub_agrees_with_the_cpu.log" || fail 'the illegal address is not in its log'
if grep -lE 'ILLEGAL_ADDRESS|SIGSEGV' "$work"/cases/*.log | grep -vE 'ops\.(sub|mul)_agrees'; then fail 'a fault reached another case'; fi

"$script" --rehearse "$work/interrupted" >"$work/output" 2>&1 &
visit=$!
sleep 3
kill -TERM $visit
status=0
wait $visit || status=$?
[ $status -eq 143 ] || fail "an interrupted visit ends with $status"
sleep 1
no_survivors 'an interrupted visit'
