#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: tests and figures in one Markdown report. Needs a driver, NVRTC and cuBLASLt, wherever they
# lie; with the preset portable built elsewhere and packed by --pack, nothing else.
#   scripts/gpu_check.sh [FILE]         default: gpu_check.md; EFLOW_BUILD names a finished build folder
#                                       (build/portable, then build/release)
#   scripts/gpu_check.sh --pack FILE    a .tar.gz of what the check needs; unpack it there and run scripts/gpu_check.sh
# Ends with 77 where there is no GPU.
set -uo pipefail
cd "$(dirname "$0")/.."
build=${EFLOW_BUILD:-build/portable}
[ -x "$build/bin/eflow" ] || build=build/release
eflow=$build/bin/eflow
[ -x "$eflow" ] || { echo "$eflow is not there; build first (cmake --preset portable, cmake --build --preset portable)" >&2; exit 2; }

if [ "${1:-}" = --pack ]; then
  tar czf "${2:?--pack FILE}" "$eflow" "$build"/tests/test.gpu.* scripts/gpu_check.sh configs
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
for graphs in off on; do
  section "A training step, graphs $graphs" env EFLOW_GRAPHS=$graphs "$eflow" bench step --device cuda \
    --config configs/sprites.ini --json
done
section 'A training step on our own matrix products' env EFLOW_CUBLASLT=off "$eflow" bench step --device cuda \
  --config configs/sprites.ini --json
section 'Attention' "$eflow" bench glga --device cuda --tokens 8192,32768 --head 128 --drop 0 \
  --threads 1 --no-composition --seconds 1
cp "$work/report" "$file"
echo "$file"
exit $status
