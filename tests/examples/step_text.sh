#!/usr/bin/env bash
# The recipe of docs/kernels/debugging.md: gdb stops in a checked text, at its line in EFLOW_KERNEL_DIR, and
# knows its variables. step_text.sh SOURCE_FOLDER PROGRAM (example.030_own_kernel)
set -euo pipefail
command -v gdb >/dev/null || exit 77
texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT
mkdir "$texts/acme"
sed -n '/R"(#pragma once/,/^)";/p' "$1/examples/030_own_kernel.cpp" | sed 's/.*R"(//; /^)";/d' > "$texts/acme/axpy.h"
line=$(grep -n 'each<C>' "$texts/acme/axpy.h" | cut -d: -f1)
out=$(cd "$texts" && EFLOW_CHECK=on EFLOW_KERNEL_DIR="$texts" EFLOW_CACHE_DIR= EFLOW_THREADS=1 gdb -q -batch \
  -ex 'set breakpoint pending on' -ex "break axpy.h:$line" -ex run -ex 'print end - begin' -ex 'info source' "$2" 2>&1) || true
# A sandbox may forbid tracing.
grep -q 'ptrace: Operation not permitted\|Could not trace' <<< "$out" && exit 77
for wanted in '$1 = 16384' "each<C>(begin, end" "Located in $texts/acme/axpy.h"; do
  grep -qF -- "$wanted" <<< "$out" || { echo "gdb does not say: $wanted"; echo "$out"; exit 1; }
done
