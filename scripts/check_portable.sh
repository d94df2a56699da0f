#!/usr/bin/env bash
# Whether programs need nothing but libc and its companions, which is what the preset portable promises. Prints the glibc they
# need and their sizes; as root it also starts each of them in a chroot that holds nothing else.
#   scripts/check_portable.sh [PROGRAM...]    default: build/portable/bin/eflow
#   scripts/check_portable.sh --kit FILE      the .tar.gz of scripts/gpu_check.sh --pack: unpacks it in the chroot and runs
#                                             the program, and each test, which must report that there is no GPU
set -euo pipefail
cd "$(dirname "$0")/.."

kit=
if [ "${1:-}" = --kit ]; then
  kit=${2:?--kit FILE}
  shift 2
fi
[ $# -gt 0 ] || [ -n "$kit" ] || set -- build/portable/bin/eflow

bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
status=0

# Copies what the loader needs for a program into the chroot.
copy_libraries() {
  local library
  ldd "$1" | grep -oE '/[^ ]+' | while read -r library; do
    mkdir -p "$bare${library%/*}"
    cp -Ln "$library" "$bare$library" 2>/dev/null || true
  done
}

# start PROGRAM ARGUMENT...: runs a program of the chroot; prints what went wrong unless it ends with one of the statuses in
# $expected.
start() {
  local code=0
  chroot "$bare" "$@" >"$bare/output" 2>&1 || code=$?
  if [[ " $expected " != *" $code "* ]]; then
    echo "  in a bare chroot \`$*\` ends with $code: $(tail -n 3 "$bare/output")" >&2
    status=1
  fi
}

check() {
  local program=$1 needed others glibc
  [ -x "$program" ] || { echo "$program does not exist; build it first (cmake --preset portable && cmake --build --preset portable --target eflow)" >&2; exit 2; }
  needed=$(ldd "$program" | awk '{ print $1 }' | sed 's|.*/||' | sort | tr '\n' ' ')
  others=$(tr ' ' '\n' <<<"$needed" | grep -vE '^(linux-vdso|libc|libm|libdl|librt|libpthread|ld-linux[-a-z0-9_]*)\.so|^$' || true)
  glibc=$(grep -aoE 'GLIBC_2\.[0-9]+' "$program" | sort -uV | tail -1)
  echo "$program: $(($(stat -c %s "$program") / 1000000)) MB, ${glibc/_/ }, needs $needed"
  [ -z "$others" ] || { echo "  more than libc: $others" >&2; status=1; return; }
  copy_libraries "$program"
}

for program in "$@"; do
  check "$program"
  [ "$(id -u)" -eq 0 ] || continue
  cp "$program" "$bare/program"
  expected='0 200' start /program --help  # 200: Boost.Test
done

if [ -n "$kit" ]; then
  [ "$(id -u)" -eq 0 ] || { echo "--kit needs root: it runs the kit in a chroot" >&2; exit 2; }
  mkdir "$bare/kit" "$bare/tmp"
  tar xzf "$kit" -C "$bare/kit"
  for program in "$bare"/kit/build/*/bin/eflow "$bare"/kit/build/*/tests/test.gpu.*; do
    check "$program"
    case $program in
      */eflow) expected='0 1' start "${program#"$bare"}" jit doctor ;;  # 1: nothing there compiles kernels
      *) expected=77 start "${program#"$bare"}" ;;                      # skipped: there is no GPU
    esac
  done
fi
exit $status
