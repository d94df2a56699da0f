#!/bin/sh
# sample_example.sh EFLOW EXAMPLE CONFIG: trains a short run with the program, then samples from it
# with the embedding example.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" data synth --size 16 --frames 4 --split held-out --out "$folder/set"
"$1" train --config "$3" --data "$folder/set" --out "$folder/run" --train.iterations=2
"$2" "$folder/run" "$folder/sheet.png" "$folder/clips.webp"
test -s "$folder/sheet.png"
test -s "$folder/clips.webp"
