#!/usr/bin/env bash
# Every C++ block of docs/kernels is a passage of an example, which the tests compile and run; fails naming page and line.
#   tests/house/check_blocks.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
faults=0
for page in docs/kernels/*.md; do
  while IFS=: read -r line _; do
    block=$(tail -n "+$((line + 1))" "$page" | sed '/^```$/,$d')
    found=0
    for example in examples/*.cpp examples/kernels/*; do
      [[ "$(<"$example")" == *"$block"* ]] && found=1 && break
    done
    if [[ $found == 0 ]]; then
      echo "$page:$line: this block is in no file of examples/"
      faults=1
    fi
  done < <(grep -n '^```cpp$' "$page" || true)
done
exit $faults
