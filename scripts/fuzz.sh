#!/usr/bin/env bash
# Fuzzes all readers of files with libFuzzer, AddressSanitizer and UBSan: scripts/fuzz.sh [SECONDS PER TARGET] [TARGET ...]
# Corpora and findings stay in build/fuzz/corpus and build/fuzz/findings; a later call goes on from there.
source "$(dirname "$0")/common.sh"

seconds="${1:-10}"
shift || true
need_packages "${kBuildPackages[@]}" "${kTestPackages[@]}" clang-16 libclang-rt-16-dev
say "configuring build/fuzz"
cmake --preset fuzz -DEFLOW_BUILD_TESTS=ON >/dev/null
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for file in tests/fuzz/*_target.cpp; do
    name="$(basename "$file" _target.cpp)"
    targets+=("$name")
  done
fi
say "building"
cmake --build build/fuzz --target "${targets[@]/#/libfuzzer.}" "${targets[@]/#/fuzz.}"
failed=0
for name in "${targets[@]}"; do
  corpus="build/fuzz/corpus/$name"
  mkdir -p "$corpus" build/fuzz/findings
  build/fuzz/tests/fuzz/fuzz."$name" --write-seeds "$corpus"
  committed=()  # inputs that earlier campaigns found worth keeping
  for folder in tests/fuzz/corpus/*; do
    [ "$(basename "$folder")" != "$name" ] || committed=("$folder")
  done
  log="build/fuzz/$name.log"
  build/fuzz/tests/fuzz/libfuzzer."$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -artifact_prefix="build/fuzz/findings/$name-" -print_final_stats=1 "$corpus" "${committed[@]}" >"$log" 2>&1 || failed=1
  printf '%-22s %s executions, %s\n' "$name" "$(awk '/number_of_executed_units/ { print $2 }' "$log")" \
    "$(grep -m1 -E 'ERROR|SUMMARY' "$log" || echo 'no finding')"
done
exit $failed
