#!/usr/bin/env bash
# Plants one fault after the other in a copy of the tree and requires that check.sh names it: a check that cannot fail proves
# nothing.
#   tests/house/faults.sh ROOT
set -euo pipefail
root=$(cd "$1" && pwd)
check=$root/tests/house/check.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# fresh: a copy of the sources. Planted faults are new files, so that hard links leave the tree as it is.
fresh() {
  rm -rf "$work/tree"
  mkdir "$work/tree"
  local folder
  for folder in benchmarks cmake core docs examples io jit kernels_src nn soflow tests trainer; do
    cp -rl "$root/$folder" "$work/tree/" 2>/dev/null || cp -r "$root/$folder" "$work/tree/"
  done
}

# expect WHAT PATTERN: the check fails, and says PATTERN.
expect() {
  local said
  if said=$("$check" "$work/tree"); then
    echo "not found: $1"
    status=1
  elif ! grep -qE "$2" <<<"$said"; then
    printf 'found, but not named: %s\n%s\n' "$1" "$said"
    status=1
  fi
}

fresh
"$check" "$work/tree" || { echo "a copy of the tree fails"; exit 1; }

echo '#include "linear.hpp"' >"$work/tree/nn/layers/planted.hpp"
expect "a path relative to the file" 'planted.hpp:1: "linear.hpp" is not a path'

fresh
echo '#include "eflow/nn/linear.hpp"' >"$work/tree/nn/layers/planted.hpp"
expect "a path that does not exist" 'planted.hpp:1: "eflow/nn/linear.hpp" is not a path'

fresh
printf '#pragma once\n#include "eflow/core/tensor/tensor.hpp"\n' >"$work/tree/jit/kernel/planted.hpp"
expect "an include against the arrows" 'planted.hpp:2: jit must not use core'

fresh
printf '#pragma once\n#include "eflow/io/dataset/dataset.hpp"\n' >"$work/tree/nn/layers/planted.hpp"
expect "an include across the arrows" 'nn must not use io'

fresh
printf '#pragma once\n#include "eflow/nn/dit/video_dit.hpp"\n' >"$work/tree/nn/layers/planted.hpp"
expect "a circle of folders" 'folders in a circle: .*nn/dit.*nn/layers|folders in a circle: .*nn/layers.*nn/dit'

fresh
printf '#pragma once\n#include "eflow/nn/optim/adamw.hpp"\n' >"$work/tree/nn/attention/planted.hpp"
expect "an include that the room's row does not list" 'nn/attention must not include nn/optim'

fresh
mkdir "$work/tree/nn/planted"
printf '#pragma once\n#include "eflow/nn/optim/adamw.hpp"\n' >"$work/tree/nn/planted/planted.hpp"
expect "a room without a row" 'nn/planted: no row'

fresh
for i in $(seq 31); do : >"$work/tree/soflow/exact/planted_$i.cpp"; done
expect "a crowded folder" 'soflow/exact: more than 30 files'

fresh
previous=core/base/bfloat16.hpp
for i in $(seq 13); do
  printf '#pragma once\n#include "eflow/%s"\n' "$previous" >"$work/tree/core/base/planted_$i.hpp"
  previous=core/base/planted_$i.hpp
done
expect "a long chain of includes" 'a chain of 1[34] includes'

fresh
printf '#pragma once\nvoid planted();\n' >"$work/tree/nn/layers/planted.hpp"
printf '#include "eflow/nn/layers/planted.hpp"\n' >"$work/tree/soflow/exact/planted.cpp"
expect "a header that exports nothing" 'planted.cpp:1: nn/layers/planted.hpp has no EFLOW_EXPORT_BEGIN'

fresh
rm "$work/tree/cmake/PublicHeaders.cmake"
sed 's|^  core/tensor/device.hpp|&\n  core/tensor/aaa.hpp|' "$root/cmake/PublicHeaders.cmake" >"$work/tree/cmake/PublicHeaders.cmake"
expect "a listed header that does not exist" 'PublicHeaders.cmake: there is no core/tensor/aaa.hpp'

fresh
rm "$work/tree/cmake/PublicHeaders.cmake"
grep -v '^  core/tensor/tensor.hpp' "$root/cmake/PublicHeaders.cmake" >"$work/tree/cmake/PublicHeaders.cmake"
expect "an installed header with an include that is not" 'includes core/tensor/tensor.hpp, which is not'

[ $status -eq 0 ] && echo "all planted faults are found"
exit $status
