#!/usr/bin/env bash
# Whether programs need nothing but libc (and what it is made of): what the preset portable promises. Says which glibc they
# need and how large they are.
#   scripts/check_portable.sh [PROGRAM...]    default: build/portable/bin/eflow
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- build/portable/bin/eflow
status=0
for program in "$@"; do
  [ -x "$program" ] || { echo "$program is not there; build first (cmake --preset portable && cmake --build --preset portable --target eflow)" >&2; exit 2; }
  needed=$(ldd "$program" | awk '{ print $1 }' | sed 's|.*/||' | sort | tr '\n' ' ')
  others=$(tr ' ' '\n' <<<"$needed" | grep -vE '^(linux-vdso|libc|libm|libdl|librt|libpthread|ld-linux[-a-z0-9_]*)\.so|^$' || true)
  glibc=$(grep -aoE 'GLIBC_2\.[0-9]+' "$program" | sort -uV | tail -1)
  echo "$program: $(($(stat -c %s "$program") / 1000000)) MB, ${glibc/_/ }, needs $needed"
  [ -z "$others" ] || { echo "  more than libc: $others" >&2; status=1; }
done
exit $status
