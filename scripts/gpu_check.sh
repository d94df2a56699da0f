#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: tests and figures in one Markdown report. Needs a driver, NVRTC and cuBLASLt, wherever they
# lie; with the preset portable built elsewhere and packed by --pack, nothing else.
#   scripts/gpu_check.sh [FILE]         default: gpu_check.md; EFLOW_BUILD names a finished build folder
#                                       (build/portable, then build/release)
#   scripts/gpu_check.sh --pack FILE    a .tar.gz of what the check needs; unpack it there and run scripts/gpu_check.sh
# Where python3 (or EFLOW_PYTHON) has PyTorch, its attention and its twin of the model are timed for the same shapes. Ends with 77
# where there is no GPU.
set -uo pipefail
cd "$(dirname "$0")/.."
build=${EFLOW_BUILD:-build/portable}
[ -x "$build/bin/eflow" ] || build=build/release
eflow=$build/bin/eflow
[ -x "$eflow" ] || { echo "$eflow is not there; build first (cmake --preset portable, cmake --build --preset portable)" >&2; exit 2; }

if [ "${1:-}" = --pack ]; then
  scripts/check_portable.sh "$eflow" "$build"/tests/test.gpu.* || { echo "the preset portable makes programs that can be carried" >&2; exit 2; }
  tar czf "${2:?--pack FILE}" "$eflow" "$build"/tests/test.gpu.* scripts/gpu_check.sh benchmarks/peer_*.py configs
  echo "$2"
  exit
fi

file=${1:-gpu_check.md}
gpu=$("$eflow" jit doctor | sed -n 's/^gpu  *//p')
arch=$(grep -oE 'sm_[0-9]+a?' <<<"$gpu" | head -1)
if [ -z "$arch" ]; then
  echo "skipped: $gpu"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export EFLOW_CACHE_DIR=$work/cache  # cold, and untuned
status=0

# section TITLE COMMAND...: its output as a code block, whatever becomes of it.
section() {
  local title=$1 code
  shift
  echo "== $title" >&2
  "$@" >"$work/out" 2>&1
  code=$?
  [ $code -eq 0 ] || status=1
  { printf '\n## %s\n\n`%s` ended with %d\n\n```\n' "$title" "$*" "$code"; tail -n 200 "$work/out"; printf '```\n'; } >>"$work/report"
}

{
  echo '# GPU check'
  printf '\n%s, ' "$(date -u +%Y-%m-%d)"
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv,noheader 2>/dev/null || echo 'no nvidia-smi'
} >"$work/report"
section 'What is there' "$eflow" jit doctor
for test in "$build"/tests/test.gpu.*; do
  section "Test ${test##*/test.gpu.}" "$test" --log_level=message --color_output=no
done
if command -v compute-sanitizer >/dev/null; then
  section 'Memory, under compute-sanitizer' compute-sanitizer --error-exitcode 1 \
    "$build/tests/test.gpu.ops" --run_test=ops_agree_with_the_cpu
  section 'Races in shared memory' compute-sanitizer --tool racecheck --error-exitcode 1 \
    "$build/tests/test.gpu.ops" --run_test=the_same_launch_gives_the_same_bits
else
  printf '\ncompute-sanitizer is not there: memory and races were not checked.\n' >>"$work/report"
fi
section 'Kernels, cold' "$eflow" jit prepare --list default --arch "$arch"
section 'What the JIT costs' "$eflow" jit bench --device cuda

# step TITLE [VARIABLE=VALUE...] [OPTION...]
step() {
  local title=$1
  shift
  local variables=()
  while [[ ${1:-} == EFLOW_* ]]; do variables+=("$1"); shift; done
  section "A training step, $title" env "${variables[@]}" "$eflow" bench step --device cuda \
    --config configs/sprites.ini --json "$@"
}
for precision in f32 bf16; do
  for graphs in off on; do
    step "$precision, graphs $graphs" EFLOW_GRAPHS=$graphs --train.precision=$precision
  done
done
step 'on our own matrix products' EFLOW_CUBLASLT=off
attention=(--head 128 --drop 0 --threads 1 --no-composition --seconds 1)
section 'Attention' "$eflow" bench glga --device cuda --tokens 8192,32768 "${attention[@]}"
section 'Attention at the size of arXiv 2603.27086' "$eflow" bench glga --device cuda --tokens 32760 --window 9360 \
  --dtype bf16 "${attention[@]}"

if [ "$arch" = sm_90a ]; then
  of_warps='glga_forward<bf16>(128, 1, 1, 1, 1, -1, 0, 64, 64)' of_groups='glga_forward<bf16>(128, 1, 1, 1, 1, -1, 0, 64, 64, 1)'
  bulk='glga_forward<bf16>(128, 1, 1, 1, 1, -1, 0, 64, 64, 1, 1)'
  for pair in "$of_warps|$of_groups" "$of_groups|$bulk"; do
    section 'Products by warpgroups, loads by bulk copies' "$eflow" jit bench "${pair%|*}" "${pair#*|}" --device cuda \
      --sizes n=32768,heads=12,radius=4680
  done
fi

# peer TITLE SCRIPT OPTION...: what it prints joins the table of ratios.
peer() {
  local title=$1
  shift
  section "$title" "$python" "$@" --eflow "$eflow" --device cuda
  grep '^{' "$work/out" >>"$work/peers" || true
}
python=${EFLOW_PYTHON:-python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
  printf '\n## PyTorch\n\nNo PyTorch here (EFLOW_PYTHON names another python): nothing was compared.\n' >>"$work/report"
elif ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  printf '\n## PyTorch\n\nThe PyTorch that is here sees no GPU: nothing was compared.\n' >>"$work/report"
else
  : >"$work/peers"
  for dtype in f32 bf16; do
    peer "PyTorch, a training step, $dtype" benchmarks/peer_torch.py --config configs/sprites.ini --dtype $dtype
    for tokens in 8192 32768; do
      peer "PyTorch, attention, $tokens tokens, $dtype" benchmarks/peer_torch_glga.py --tokens $tokens --window 1024 \
        --head 128 --dtype $dtype
    done
  done
  peer 'PyTorch, attention at the size of arXiv 2603.27086' benchmarks/peer_torch_glga.py --tokens 32760 --window 9360 \
    --head 128 --dtype bf16
  printf '\n## Ratios\n\n' >>"$work/report"
  "$python" benchmarks/peer_table.py <"$work/peers" >>"$work/report" || status=1
fi

# Last, as what is tuned stays for all that follows.
section 'Tuning a model' "$eflow" jit tune run --list sprites --device cuda --batch 16 --budget-s 2
step 'bf16, tuned' --train.precision=bf16
cp "$work/report" "$file"
echo "$file"
exit $status
