#!/usr/bin/env bash
# Runs a table of docs/results.md and writes OUT/TABLE.md: every arm with several seeds, mean and spread, and the commands.
#   scripts/reproduce.sh mva|guided|anyflow [--out FOLDER] [--seeds N] [--iterations N] [--threads N]
#     [--program EFLOW]
# All run on exactly known flows (docs/evaluation.md): additivity on and off, path-drop guidance, AnyFlow's first stage.
# Finished runs are not repeated.
source "$(dirname "$0")/common.sh"

usage() { sed -n '2,6s/^# \{0,1\}//p' scripts/reproduce.sh >&2; exit 2; }

[ $# -gt 0 ] || usage
table=$1
shift
out=build/reproduce seeds=3 iterations= threads=0 eflow=build/release/bin/eflow
while [ $# -gt 1 ]; do
  case $1 in
    --out) out=$2 ;;
    --seeds) seeds=$2 ;;
    --iterations) iterations=$2 ;;
    --threads) threads=$2 ;;
    --program) eflow=$2 ;;
    *) usage ;;
  esac
  shift 2
done
[ $# -eq 0 ] || usage
[ -x "$eflow" ] || { echo "no program at $eflow: scripts/quickstart.sh builds it" >&2; exit 1; }
folder=$out/$table
mkdir -p "$folder"
commands=$folder/commands.txt
: >"$commands"

# Runs a command and notes it.
note() { printf '%s\n' "$*" >>"$commands"; "$@"; }

# train ARM SEED OPTIONS...: one run, in $folder/ARM-SEED.
train() {
  local run=$folder/$1-$2
  local more=(--train.seed="$2" --sample.every=0 --log.every=1000 --train.threads="$threads")
  [ -z "$iterations" ] || more+=(--train.iterations="$iterations" --optim.warmup=$((iterations / 15)))
  shift 2
  note "$eflow" train --out "$run" "$@" "${more[@]}"
}

# exact ARM OPTIONS...: runs of all seeds on an exactly known flow, measured against it.
exact() {
  local arm=$1 seed
  shift
  for seed in $(seq "$seeds"); do
    train "$arm" "$seed" "$@"
    note "$eflow" eval --exact --run "$folder/$arm-$seed" --clips 1024 --json >"$folder/$arm-$seed.json"
  done
}

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
  *) usage ;;
esac

python3 scripts/reproduce_table.py "$folder" >"$out/$table.md"
cat "$out/$table.md"
