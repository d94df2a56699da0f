#!/usr/bin/env bash
# Builds everything and runs all tests. Arguments go to ctest: scripts/test.sh -R trainer
source "$(dirname "$0")/common.sh"

need_packages "${kBuildPackages[@]}" "${kTestPackages[@]}"
configure "${EFLOW_PRESET:-ci}" -DEFLOW_BUILD_TESTS=ON -DEFLOW_BUILD_EXAMPLES=ON
build
say "testing"
ctest --test-dir build/release --output-on-failure "$@"
