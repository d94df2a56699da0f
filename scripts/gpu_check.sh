#!/usr/bin/env bash
# One visit to a machine with an NVIDIA GPU: correctness first, then figures, peers and sanitizers, in one Markdown report.
#
#   scripts/gpu_check.sh [--budget SECONDS] [--out FOLDER]
#       Runs the visit, by default in 480 s and in FOLDER gpu_check/. EFLOW_BUILD names the build folder (build/portable, then
#       build/release). Exit status: 0 all steps passed, 1 a step failed, 77 no GPU.
#   scripts/gpu_check.sh --pack FILE
#       Writes a .tar.gz with all that a visit needs: portable programs, tests, configs and every kernel compiled beforehand.
#       On the other machine: tar xzf FILE && scripts/gpu_check.sh
#   scripts/gpu_check.sh --rehearse [FOLDER]
#       The visit against a driver that executes nothing, with a step that hangs and one that crashes: checks this script.
#       Exit status 0 if the rest of the report is complete.
#
# Every step has a time limit and appends its result to report.md as it ends, so a hang or a crash costs only that step. Test
# cases run in processes of their own: an illegal access poisons the CUDA context of the process that made it and no other.
set -uo pipefail
cd "$(dirname "$0")/.."

budget=480 out=${OUT:-gpu_check} mode=visit file=
while [ $# -gt 0 ]; do
  case $1 in
    --budget) budget=${2:?--budget SECONDS}; shift ;;
    --out) out=${2:?--out FOLDER}; shift ;;
    --pack) mode=pack file=${2:?--pack FILE}; shift ;;
    --rehearse) mode=rehearse; if [ $# -gt 1 ]; then out=$2; shift; fi ;;
    *) sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
  esac
  shift
done

build=${EFLOW_BUILD:-build/portable}
[ -x "$build/bin/eflow" ] || build=build/release
eflow=$build/bin/eflow
[ -x "$eflow" ] || { echo "$eflow does not exist; build it first: cmake --preset portable && cmake --build --preset portable" >&2; exit 2; }
tests=(primitives ops glga hopper products graphs training ranks)

# The driver that executes nothing (tests/support/cuda/do_nothing/): kernels are compiled and loaded, never executed.
use_do_nothing_driver() {
  export EFLOW_CUDA_DRIVER=$PWD/$build/tests/do_nothing/libcuda.so EFLOW_CUBLASLT=$PWD/$build/tests/do_nothing/libcublasLt.so
  export EFLOW_NCCL=off  # it would look for the real driver
  unset EFLOW_PACKS
}

if [ "$mode" = pack ]; then
  scripts/check_portable.sh "$eflow" "$build"/tests/test.gpu.* || exit 2
  stage=$(mktemp -d)
  trap 'rm -rf "$stage"' EXIT
  # Fills a cache with every kernel that a visit launches, by making the visit against the driver that runs nothing.
  (
    use_do_nothing_driver
    export EFLOW_CACHE_DIR=$stage/cache EFLOW_CHECK_WARMS_CACHE=1
    "$0" --budget 3600 --out "$stage/dry" >/dev/null
    true
  )
  EFLOW_CACHE_DIR=$stage/cache "$eflow" jit pack "$stage/kernels.pack" --arch "${EFLOW_CHECK_ARCH:-sm_90a}" || exit 2
  mkdir -p "$stage/kit/$build/bin" "$stage/kit/$build/tests" "$stage/kit/scripts" "$stage/kit/benchmarks"
  strip -o "$stage/kit/$eflow" "$eflow"
  for test in "$build"/tests/test.gpu.*; do strip -o "$stage/kit/$test" "$test"; done
  cp -r "$build/tests/do_nothing" "$stage/kit/$build/tests/" 2>/dev/null
  cp scripts/gpu_check.sh "$stage/kit/scripts/"
  cp benchmarks/*.py "$stage/kit/benchmarks/"
  cp -r configs "$stage/kit/configs"
  cp "$stage/kernels.pack" "$stage/kit/"
  tar czf "$file" -C "$stage/kit" . || exit 2
  [ "$(id -u)" -ne 0 ] || scripts/check_portable.sh --kit "$file" >/dev/null || exit 2
  echo "$file: $(($(stat -c %s "$file") / 1000000)) MB"
  exit
fi

if [ "$mode" = rehearse ]; then
  use_do_nothing_driver
  export EFLOW_CHECK_REHEARSAL=1
  [ $budget -lt 170 ] || budget=170
  tests=(graphs)  # results are wrong where nothing is executed; compiling all kernels would take minutes
fi

mkdir -p "$out/logs"
out=$(cd "$out" && pwd)
report=$out/report.md begin=$SECONDS
: >"$report"
: >"$out/failed"
export EFLOW_CACHE_DIR=${EFLOW_CACHE_DIR:-$out/cache}
[ -f kernels.pack ] && export EFLOW_PACKS=$PWD/kernels.pack
left() { echo $((budget - (SECONDS - begin))); }

# step NAME LIMIT COMMAND...: runs the command under a limit in seconds; output and exit status go into the report at once.
step() {
  local name=$1 limit=$2 start=$SECONDS code log
  shift 2
  log=$out/logs/$name.log
  [ -z "${EFLOW_CHECK_WARMS_CACHE:-}" ] || limit=$((10 * limit))
  timeout -k 3 "$limit" "$@" >"$log" 2>&1 </dev/null
  code=$?
  [ $code -eq 0 ] || [ $code -eq 77 ] || echo "$name ($code)" >>"$out/failed"
  {
    printf '\n## %s: exit %d, %d s (at %d s)\n\n`%s`\n\n```\n' "$name" $code $((SECONDS - start)) $((SECONDS - begin)) "$*"
    head -n 40 "$log" | cut -c 1-400
    if [ "$(wc -l <"$log")" -gt 80 ]; then echo '[...]'; fi
    tail -n +41 "$log" | tail -n 40 | cut -c 1-400
    printf '```\n'
  } >"$log.part"
  flock "$report" cat "$log.part" >>"$report"
  rm -f "$log.part"
  printf '%-28s exit %-3d %3d s\n' "$name" $code $((SECONDS - start))
}
# figure NAME LIMIT COMMAND...: a step that is left out when the budget does not cover its limit.
figure() {
  if [ "$(left)" -lt "$2" ]; then echo "$1 left out: $(left) s of the budget remain" | tee -a "$report"; return; fi
  step "$@"
}

# NVRTC, cuBLASLt and NCCL: the system's, the toolkit's, or those that PyTorch's wheels carry (builtins in the same folder).
python=${EFLOW_PYTHON:-python3}
if ! "$eflow" jit doctor 2>&1 | grep -q '^nvrtc  *nvrtc' || ! "$eflow" jit doctor 2>&1 | grep -q '^nccl  *[0-9]'; then
  wheels=$("$python" -c '
import glob, importlib.util, os
spec = importlib.util.find_spec("nvidia")
roots = spec.submodule_search_locations if spec else []
found = {os.path.dirname(f) for r in roots for n in ("libnvrtc.so.1*", "libcublasLt.so.1*", "libnccl.so.2*") for f in glob.glob(r + "/**/" + n, recursive=True)}
print(":".join(sorted(found)))' 2>/dev/null)
  export LD_LIBRARY_PATH=$wheels${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi

gpu=$("$eflow" jit doctor 2>/dev/null | sed -n 's/^gpu  *//p')
arch=$(grep -oE 'sm_[0-9]+a?' <<<"$gpu" | head -1)
if [ -z "$arch" ]; then echo "skipped: $gpu"; exit 77; fi
printf '# GPU check\n\n%s, %s\n' "$(date -u +%Y-%m-%d)" "$gpu" >"$report"
step machine 20 bash -c "nvidia-smi; $eflow jit doctor; ldd --version | head -1; nproc; grep -m1 'model name' /proc/cpuinfo"

# 1. Correctness. One process for each test case, as many at once as there are cores (at most 12).
if [ -n "${EFLOW_CHECK_REHEARSAL:-}" ]; then
  step injected.hang 3 sleep 1000 &
  step injected.crash 10 bash -c 'kill -SEGV $$' &
fi
if [ -n "${EFLOW_CHECK_WARMS_CACHE:-}" ]; then
  for name in "${tests[@]}"; do step "test.$name" 120 "$build/tests/test.gpu.$name" --log_level=nothing --color_output=no; done
else
  run_case() {
    local name=$1 case=$2 code
    timeout -k 3 "$limit" "$build/tests/test.gpu.$name" --run_test="$case" --log_level=message --color_output=no \
      >"$out/cases/$name.$case.log" 2>&1 </dev/null
    code=$?
    echo "$code $name/$case" >>"$out/cases.txt"
  }
  export -f run_case
  export build out limit=150
  mkdir -p "$out/cases"
  : >"$out/cases.txt"
  for name in "${tests[@]}"; do
    timeout 20 "$build/tests/test.gpu.$name" --list_content 2>&1 | sed -n 's/^\([A-Za-z0-9_]*\)\*.*/\1/p' | sed "s/^/$name /"
  done | xargs -P "$(n=$(nproc); echo $((n < 12 ? n : 12)))" -L 1 bash -c 'run_case "$@"' _
  summary() {
    local bad
    bad=$(grep -cv '^0 ' "$out/cases.txt")
    echo "$(grep -c '^0 ' "$out/cases.txt") cases passed, $bad did not (77: skipped, 124 or 137: timed out)"
    grep -v '^0 ' "$out/cases.txt" | while read -r code case; do
      printf '\n--- %s: exit %s\n' "$case" "$code"
      head -n 12 "$out/cases/${case/\//.}.log" | cut -c 1-300
    done
    ! grep -qvE '^(0|77) ' "$out/cases.txt"
  }
  export -f summary
  step cases 20 bash -c summary
fi
wait

# 2. Ceilings of this card in this run, on random data; then our figures.
cat >"$out/ceilings.py" <<'PY'
import torch

def seconds(f, n=20):
    for _ in range(5): f()
    a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    a.record()
    for _ in range(n): f()
    b.record(); b.synchronize()
    return a.elapsed_time(b) / n / 1e3

n = 8192
for name, dtype, tf32 in (("bf16", torch.bfloat16, False), ("f32 as TF32", torch.float32, True), ("f32", torch.float32, False)):
    torch.backends.cuda.matmul.allow_tf32 = tf32
    a, b = (torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(2))
    print(f"matmul {name} {n}^3: {2 * n**3 / seconds(lambda: a @ b) / 1e12:.1f} TFLOP/s")
x = torch.randn(1 << 29, device="cuda"); y = torch.empty_like(x)
print(f"copy of 2 GiB: {2 * 4 * x.numel() / seconds(lambda: y.copy_(x)) / 1e12:.3f} TB/s")
print("torch", torch.__version__, torch.cuda.get_device_name())
PY
[ -n "${EFLOW_CHECK_WARMS_CACHE:-}" ] || figure ceilings 60 "$python" "$out/ceilings.py"
figure jit.overheads 40 "$eflow" jit bench --device cuda
step_bench() { local name=$1 limit=$2; shift 2; figure "step.$name" "$limit" env "$@"; }
for precision in f32 bf16; do
  step_bench sprites.$precision 40 EFLOW_GRAPHS=off "$eflow" bench step --device cuda --config configs/sprites.ini --json --train.precision=$precision
  step_bench sprites.$precision.graphs 40 EFLOW_GRAPHS=on "$eflow" bench step --device cuda --config configs/sprites.ini --json --train.precision=$precision
done
figure step.trace 40 "$eflow" bench step --device cuda --config configs/sprites.ini --json --train.precision=bf16 --trace "$out/step.json"
step_bench B 60 EFLOW_GRAPHS=off "$eflow" bench step --device cuda --config configs/kinetics-b.ini --json --train.batch=16 --train.accumulation=1
step_bench B.graphs 60 EFLOW_GRAPHS=on "$eflow" bench step --device cuda --config configs/kinetics-b.ini --json --train.batch=16 --train.accumulation=1
glga=("$eflow" bench glga --device cuda --threads 1 --drop 0 --no-composition --seconds 0.5 --heads 12)
figure glga.d128.bf16 40 "${glga[@]}" --head 128 --tokens 8192,32760 --window 9360 --dtype bf16
figure glga.d64.bf16 40 "${glga[@]}" --head 64 --tokens 8192,32760 --window 9360 --dtype bf16
figure glga.d128.f32 40 "${glga[@]}" --head 128 --tokens 8192 --window 1024 --dtype f32
if [ "$arch" = sm_90a ]; then
  forward='glga_forward<bf16>(128, 1, 1, 1, 1, -1, 0, 64, 64' queries='glga_queries_grad<bf16>(128, 1, 1, 0, 0, -1, 0, 64'
  keys='glga_keys_grad<bf16>(128, 1, 1, 0, 0, -1, 0'
  walk=(--device cuda --sizes n=32768,heads=12,radius=4680)
  figure walk.forward 40 "$eflow" jit bench "$forward)" "$forward, 1)" "${walk[@]}"
  figure walk.forward.bulk 40 "$eflow" jit bench "$forward, 1)" "$forward, 1, 1)" "${walk[@]}"
  figure walk.queries 40 "$eflow" jit bench "$queries, 32)" "$queries, 64, 1, 1)" "${walk[@]}"
  figure walk.keys 40 "$eflow" jit bench "$keys, 16, 64)" "$keys, 32, 64, 1, 0)" "${walk[@]}"
fi

# 3. Peers, while the budget lasts: compiling takes PyTorch 20 to 60 s each.
if [ -z "${EFLOW_CHECK_WARMS_CACHE:-}${EFLOW_CHECK_REHEARSAL:-}" ] && "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  figure peer.step.bf16 90 "$python" benchmarks/peer_torch.py --eflow "$eflow" --device cuda --config configs/sprites.ini --dtype bf16
  figure peer.glga.paper 90 "$python" benchmarks/peer_torch_glga.py --eflow "$eflow" --device cuda --tokens 32760 --window 9360 --head 128 --dtype bf16
  figure peer.glga.8192 90 "$python" benchmarks/peer_torch_glga.py --eflow "$eflow" --device cuda --tokens 8192 --window 1024 --head 128 --dtype bf16
fi

# 4. Memory errors and races, last: slow, and a second opinion.
if command -v compute-sanitizer >/dev/null && [ -z "${EFLOW_CHECK_REHEARSAL:-}" ]; then
  figure memcheck.hopper 70 compute-sanitizer --error-exitcode 1 "$build/tests/test.gpu.hopper"
  figure racecheck.glga 70 compute-sanitizer --tool racecheck --error-exitcode 1 "$build/tests/test.gpu.glga" --run_test=gradients_of_each_branch_alone
fi

{
  printf '\n## Summary\n\n%d s. ' $((SECONDS - begin))
  if [ -s "$out/failed" ]; then printf 'Failed: %s\n' "$(paste -sd' ' "$out/failed")"; else echo 'All steps passed.'; fi
} | tee -a "$report"
if [ -d "$out/cases" ]; then tar czf "$out/cases.tar.gz" -C "$out" cases && rm -rf "$out/cases"; fi
tar czf "$out/logs.tar.gz" -C "$out" logs && rm -rf "$out/logs"
echo "$report"
if [ -n "${EFLOW_CHECK_REHEARSAL:-}" ]; then
  for section in 'injected.hang: exit 124' 'injected.crash: exit 139' 'cases: exit' 'step.sprites.bf16: exit 0' 'Summary'; do
    grep -q "^## $section" "$report" || { echo "the report lacks \"$section\"" >&2; exit 1; }
  done
  exit 0
fi
[ ! -s "$out/failed" ]
