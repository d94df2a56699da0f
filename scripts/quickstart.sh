#!/usr/bin/env bash
# From a fresh checkout to generated clips: builds the program, creates a data set of moving shapes,
# trains on it and samples in 4 steps. An interrupted run resumes when started again.
#   scripts/quickstart.sh [--out FOLDER] [--iterations N]
source "$(dirname "$0")/common.sh"

out=build/quickstart
train_options=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift 2 ;;
    --iterations) train_options+=(--train.iterations="$2" --optim.warmup=$(($2 / 5))); shift 2 ;;
    *) echo "usage: scripts/quickstart.sh [--out FOLDER] [--iterations N]" >&2; exit 2 ;;
  esac
done

need_packages "${kBuildPackages[@]}"
configure "${EFLOW_PRESET:-release}" -DEFLOW_BUILD_TESTS=OFF -DEFLOW_BUILD_EXAMPLES=OFF
build eflow
eflow=build/release/bin/eflow

say "making a data set in $out/data"
if ! "$eflow" data info "$out/data" >/dev/null 2>&1; then
  rm -rf "$out/data"
  "$eflow" data synth --out "$out/data"
fi
"$eflow" data info "$out/data"

say "training in $out/run"
"$eflow" train --config configs/quickstart.ini --data "$out/data" --out "$out/run" --resume auto "${train_options[@]}"

say "sampling in 4 steps"
"$eflow" sample --run "$out/run" --steps 4 --count 9 --seed 1 --out "$out/samples"

say "done; look at"
printf '  %s   one clip per row, frames left to right\n' "$(realpath "$out")/samples/sheet.png"
printf '  %s   the same clips, animated\n' "$(realpath "$out")/samples/clips.webp"
printf '  %s   samples taken during training\n' "$(realpath "$out")/run/samples/"
