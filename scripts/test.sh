#!/usr/bin/env bash
# Builds everything and runs all tests. Arguments are passed to ctest: scripts/test.sh -R trainer
source "$(dirname "$0")/common.sh"

need_packages "${kBuildPackages[@]}" "${kTestPackages[@]}"
configure "${EFLOW_PRESET:-ci}" -DEFLOW_BUILD_TESTS=ON -DEFLOW_BUILD_EXAMPLES=ON
build
say "testing"
ctest --test-dir build/release --output-on-failure -j "$(nproc)" "$@"
if [ $# -eq 0 ]; then
  say "compiling kernels for GPUs"  # scripts/check_cubins.sh alone compiles all of them
  scripts/check_cubins.sh --sample build/release/bin/eflow build/release/cubins.md || { code=$?; [ $code -eq 77 ] || exit $code; }
fi
