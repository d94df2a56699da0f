#!/usr/bin/env bash
# Imports every file of a folder of hostile HDF5 files, and each array that it seems to have. Fails if the program crashes or takes
# more than 90 s: `eflow data import` reads such files in a process of its own.
#   scripts/check_hostile_h5.sh FOLDER [EFLOW]
set -uo pipefail
folder=${1:?usage: scripts/check_hostile_h5.sh FOLDER [EFLOW]}
eflow=${2:-build/release/bin/eflow}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
files=0 reads=0 faults=0

# import FILE ARRAY: prints what the program said; counts a fault unless it ended in order.
import() {
  local before=$faults code
  rm -rf "$out/set"
  timeout -k 5 90 bash -c 'ulimit -c 0; exec "$@"' _ "$eflow" data import "$1" --latents "$2" --layout NCTHW --range any \
    --out "$out/set" >"$out/log" 2>&1
  code=$?
  reads=$((reads + 1))
  case $code in
    0 | 2 | 3 | 8) ;;
    *) faults=$((faults + 1)) ;;
  esac
  [ "$faults" -eq "$before" ] || { echo "FAULT: $1 $2: exit code $code"; tail -3 "$out/log"; }
}

for original in "$folder"/*; do
  [ -f "$original" ] || continue
  file=$out/$(basename "$original").h5  # files are told by their ends
  ln -s "$(realpath "$original")" "$file"
  files=$((files + 1))
  import "$file" /no-such-array
  sed -n 's/.*it has no array "[^"]*"; it has \(.*\)/\1/p' "$out/log" | tr ',' '\n' | sed 's/^ *//' | grep -a '^/' >"$out/arrays"
  while read -r array; do import "$file" "$array"; done <"$out/arrays"
done
echo "$files files, $reads reads, $faults faults"
[ "$files" -gt 0 ] && [ "$faults" -eq 0 ]
