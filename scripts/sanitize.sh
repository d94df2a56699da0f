#!/usr/bin/env bash
# Builds and runs all test programs under sanitizers, in slices, since all of them take hours on a small machine:
#   scripts/sanitize.sh dev|tsan [SLICE SLICES] [-jN]
# dev: addresses and undefined behaviour; tsan: threads. Slice 1 of 10 is every tenth program, beginning with the first. Results are kept
# in build/PRESET/sanitized: a later call skips what was well, unless the program has changed since.
source "$(dirname "$0")/common.sh"

preset="${1:?usage: scripts/sanitize.sh dev|tsan [SLICE SLICES] [-jN]}"
slice="${2:-1}" slices="${3:-1}" jobs="${4:--j$(nproc)}"
case $preset in
  dev) export ASAN_OPTIONS="allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}" UBSAN_OPTIONS=halt_on_error=1 ;;
  tsan) export TSAN_OPTIONS="halt_on_error=1${TSAN_OPTIONS:+:$TSAN_OPTIONS}" ;;
  *) echo "expected dev or tsan, found $preset" >&2; exit 2 ;;
esac
need_packages "${kBuildPackages[@]}" "${kTestPackages[@]}"
configure "$preset" -DEFLOW_BUILD_TESTS=ON
build_folder="build/$preset"
results="$build_folder/sanitized"
mkdir -p "$results"
mapfile -t tests < <(ctest --test-dir "$build_folder" -N -L cpu | sed -n 's/^ *Test *#[0-9]*: *//p')
well=0 failed=()
for ((i = slice - 1; i < ${#tests[@]}; i += slices)); do
  name=${tests[i]}
  target="test.${name//\//.}"
  [[ $name == fuzz/* ]] && target="fuzz.${name#fuzz/}"
  # Tests without a program of their own need the eflow program, or nothing.
  cmake --build "$build_folder" "$jobs" --target "$target" >"$results/build.log" 2>&1 ||
    cmake --build "$build_folder" "$jobs" --target eflow >"$results/build.log" 2>&1 || { failed+=("$name (build)"); continue; }
  program="$build_folder/tests/$target"
  [[ $name == fuzz/* ]] && program="$build_folder/tests/fuzz/$target"
  mark="$results/${name//\//.}"
  if [ -f "$program" ] && [ "$mark" -nt "$program" ]; then
    well=$((well + 1))
    continue
  fi
  if ctest --test-dir "$build_folder" -R "^$name\$" --output-on-failure >"$mark.log" 2>&1; then
    touch "$mark"
    well=$((well + 1))
  else
    failed+=("$name ($mark.log)")
  fi
done
[ ${#failed[@]} -eq 0 ] || printf 'FAILED: %s\n' "${failed[@]}"
echo "$preset, slice $slice of $slices: $well test programs without a report, ${#failed[@]} with one"
[ ${#failed[@]} -eq 0 ]
