#!/usr/bin/env bash
# scripts/sass_counts.py on small disassemblies: what it counts, and what it refuses.
#   sass_counts_test.sh SOURCE_FOLDER
set -euo pipefail
command -v python3 >/dev/null || { echo 'skipped: no python3'; exit 77; }
script=$1/scripts/sass_counts.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# file NAME: a disassembly of the instructions on stdin, one a line.
file() { awk '{ printf "        /*%04x*/                   %s ;\n", 16 * NR, $0 }' >"$work/$1"; }
# expect STATUS PATTERN KERNEL FILE
expect() {
  local status=0
  "$script" "$3" "$work/$4" >"$work/out" || status=$?
  if [ $status -ne "$1" ] || ! grep -qF -- "$2" "$work/out"; then
    echo "$4: expected status $1 and \"$2\", found status $status and:" >&2
    cat "$work/out" >&2
    exit 1
  fi
}

forward='glga_forward<bf16>(64, 1, 1, 1, 1, -1, 0, 64, 64)'
wgmma='glga_keys_grad<bf16>(64, 1, 1, 0, 0, -1, 0, 32, 64, 1, 0)'

file plain <<'END'
LDS.128 R4, [R2]
@P0 LDSM.16.M88.4 R8, [R3]
HMMA.16816.F32.BF16 R12, R4, R8, R12
HMMA.16816.F32.BF16 R16, R4, R10, R16
FMNMX R20, R12, R13, !PT
FSETP.NAN.AND P1, PT, R14, R14, PT
END
expect 0 '| 6 | 2 | 1.00 | 1 | 1 | none |' "$forward" plain

file spills <<'END'
STL [R1], R4
LDL R4, [R1]
END
expect 1 'local memory' 'glga_state<bf16>(64, 32)' spills

file compares <<'END'
HMMA.16816.F32.BF16 R12, R4, R8, R12
FSETP.NAN.AND P1, PT, R14, R14, PT
END
expect 1 'no FMNMX' "$forward" compares
expect 0 'none' 'glga_forward<bf16>(64, 0, 1, 1, 1, -1, 0, 64, 64)' compares

file uses_sums <<'END'
HGMMA.64x16x16.F32.BF16 R24, R4, gdesc[UR8], R24
FADD R40, R31, R41
WARPGROUP.DEPBAR.LE gsb0, 0x0
END
expect 1 'in flight: FADD R40, R31, R41' "$wgmma" uses_sums

file overwrites_operands <<'END'
HGMMA.64x16x16.F32.BF16 R24, R4, gdesc[UR8], R24
MOV R5, R40
END
expect 1 'in flight: MOV R5, R40' "$wgmma" overwrites_operands

file waits <<'END'
HGMMA.64x16x16.F32.BF16 R24, R4, gdesc[UR8], R24
FADD R40, R32, R41
WARPGROUP.DEPBAR.LE gsb0, 0x0
FADD R40, R31, R41
MOV R4, R40
END
expect 0 'none' "$wgmma" waits

echo nothing >"$work/empty"
if "$script" x "$work/empty" 2>"$work/out"; then exit 1; fi
grep -q 'no instructions found' "$work/out"
