#!/usr/bin/env bash
# Runs a table of docs/results.md and writes OUT/TABLE.md and OUT/TABLE-*.svg: every arm with several seeds, their mean and
# standard deviation, the paper's numbers if it has such a table, and the commands.
#   scripts/reproduce.sh mva|guided|anyflow|distillation|jump [OPTIONS]
#   scripts/reproduce.sh table2|table3|table4 --data SPRITES [--eval HELD_OUT] [OPTIONS]
# OPTIONS: --out FOLDER, --seeds N, --iterations N, --threads N, --program EFLOW, --arms 'NAME ...' (only these arms).
# The first form uses exactly known flows, the second a packed data set of labelled clips (docs/evaluation.md). Finished runs
# are not repeated. This file defines each arm's name and options; everything else is in configs/.
source "$(dirname "$0")/common.sh"

usage() { sed -n '2,8s/^# \{0,1\}//p' scripts/reproduce.sh >&2; exit 2; }

[ $# -gt 0 ] || usage
table=$1
shift
out=build/reproduce seeds=3 iterations= threads=1 eflow=build/release/bin/eflow data= held_out=split arms=
while [ $# -gt 1 ]; do
  case $1 in
    --out) out=$2 ;;
    --seeds) seeds=$2 ;;
    --iterations) iterations=$2 ;;
    --threads) threads=$2 ;;
    --program) eflow=$2 ;;
    --data) data=$2 ;;
    --eval) held_out=$2 ;;
    --arms) arms=$2 ;;
    *) usage ;;
  esac
  shift 2
done
[ $# -eq 0 ] || usage
[ -x "$eflow" ] || { echo "no program at $eflow: scripts/quickstart.sh builds it" >&2; exit 1; }
folder=$out/$table measured=1024
mkdir -p "$folder"
commands=$folder/commands.txt
: >"$commands"
rm -f "$folder"/*.json

# Runs a command and records it.
note() { printf '%s\n' "$*" >>"$commands"; "$@"; }

# measure FILE COMMAND...: records a command and appends its output line to a file, from an earlier
# run if there is one.
measure() {
  local file=$1 line
  shift
  printf '%s\n' "$*" >>"$commands"
  line=$(printf '%s' "$*" | md5sum | cut -d' ' -f1)
  [ -s "$file.$line" ] || { "$@" >"$file.part" && mv "$file.part" "$file.$line"; }
  cat "$file.$line" >>"$file"
}

# wanted ARM: succeeds if --arms selects it.
wanted() { [ -z "$arms" ] || [[ " $arms " == *" $1 "* ]]; }

# train ARM SEED OPTIONS...: one run, in $folder/ARM-SEED.
train() {
  local run=$folder/$1-$2
  local more=(--train.seed="$2" --sample.every=0 --log.every=1000 --train.threads="$threads")
  [ -z "$iterations" ] || more+=(--train.iterations="$iterations" --optim.warmup=$((iterations / 15)))
  shift 2
  note "$eflow" train --out "$run" "$@" "${more[@]}"
}

# exact ARM OPTIONS...: trains all seeds on an exactly known flow and measures them against it.
exact() {
  local arm=$1 seed
  shift
  wanted "$arm" || return 0
  for seed in $(seq "$seeds"); do
    train "$arm" "$seed" "$@"
    measure "$folder/$arm-$seed.json" "$eflow" eval --exact --run "$folder/$arm-$seed" --clips "$measured" --json
  done
}

# distilled: AnyFlow's three stages for all seeds, measured before and after the last stage.
distilled() {
  local seed
  [ -z "$iterations" ] || { echo "distillation: its stages set their own length; omit --iterations" >&2; exit 2; }
  for seed in $(seq "$seeds"); do
    train after "$seed" --config configs/exact-anyflow.ini
    measure "$folder/before-$seed.json" "$eflow" eval --exact --run "$folder/after-$seed/stage-2" --clips "$measured" --json
    measure "$folder/after-$seed.json" "$eflow" eval --exact --run "$folder/after-$seed" --clips "$measured" --json
  done
}

# features: the classifier that evaluates samples, trained once for all tables.
features() {
  [ -n "$data" ] || { echo "$table needs --data SPRITES, a packed data set" >&2; exit 2; }
  [ -d "$out/features" ] ||
    note "$eflow" eval train-features --data "$data" --eval "$held_out" --out "$out/features" --iterations 200 \
      --threads "$threads"
}

# clips ARM SAMPLERS OPTIONS...: trains all seeds on the data set and evaluates them; SAMPLERS is a
# list such as 'renoise:4 euler:40'.
clips() {
  local arm=$1 samplers=$2 seed how
  shift 2
  wanted "$arm" || return 0
  features
  for seed in $(seq "$seeds"); do
    train "$arm" "$seed" --config configs/sprites-short.ini --data "$data" --data.eval="$held_out" "$@"
    for how in $samplers; do
      measure "$folder/$arm-$seed.json" "$eflow" eval --run "$folder/$arm-$seed" --features "$out/features" \
        --data "$data" --eval "$held_out" --count 252 --reference 2048 --sampler "${how%:*}" --steps "${how#*:}" --json
    done
  done
}

few='renoise:1 renoise:2 renoise:4 compose:4'
velocity='--objective.fm_share=1'
dropped='--drop.tokens=groups-3d --drop.ratio=0.75 --drop.until=0.8'
case $table in
  mva)
    exact none --config configs/exact-gaussian.ini
    exact throughout --config configs/exact-gaussian.ini --mva.share=0.25
    exact last-fifth --config configs/exact-gaussian.ini --mva.share=0.25 --mva.from=0.8
    ;;
  guided) exact weak-path --config configs/exact-guided.ini ;;
  anyflow)
    exact consistency --config configs/exact-mixture.ini
    exact central-difference --config configs/exact-mixture.ini --objective.kind=anyflow
    ;;
  distillation) distilled ;;
  jump)
    measured=512
    exact fm --config configs/exact-jump.ini $velocity
    exact sfm --config configs/exact-jump.ini
    exact sfm-half --config configs/exact-jump.ini --objective.fm_share=0.5
    exact sfm-mva --config configs/exact-jump.ini --mva.share=0.25 --mva.from=0.6
    ;;
  table2)
    clips softmax 'euler:16' $velocity --model.attention=softmax
    clips glga 'euler:16' $velocity
    clips glga-drop 'euler:16' $velocity $dropped
    clips sana 'euler:16' $velocity --model.attention=sana --model.feed_forward=mix
    clips sana-drop 'euler:16' $velocity $dropped --model.attention=sana --model.feed_forward=mix
    ;;
  table3)
    for kind in linear window sum glga; do clips $kind "$few" --model.attention=$kind; done
    ;;
  table4)
    clips fm 'euler:40 euler:4 euler:2 euler:1' $velocity
    clips sfm "$few" --objective.guidance=1.5 --objective.label_drop=0.1
    clips pdg "$few" --objective.guidance=1.5 --guidance.kind=weak
    clips pdg-mva "$few" --objective.guidance=1.5 --guidance.kind=weak --mva.share=0.25 --mva.from=0.8
    ;;
  *) usage ;;
esac

python3 scripts/reproduce_table.py "$folder" >"$out/$table.md"
for chart in "$folder"/charts/*.json; do
  [ -e "$chart" ] || continue
  "$eflow" plot --data "$chart" --out "$out/$table-$(basename "$chart" .json).svg"
done
cat "$out/$table.md"
