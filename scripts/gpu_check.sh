#!/usr/bin/env bash
# One visit to a machine with an NVIDIA GPU: correctness first, then figures, peers and sanitizers, in one Markdown report.
#
#   scripts/gpu_check.sh [--budget SECONDS] [--out FOLDER]
#       Runs the visit, by default in 480 s and in FOLDER gpu_check/. EFLOW_BUILD names the build folder (build/portable, then
#       build/release). Exit status: 0 all steps passed, 1 a step failed, 77 no GPU.
#   scripts/gpu_check.sh --pack FILE
#       Writes a .tar.gz with all that a visit needs: portable programs, tests, configs and every kernel compiled beforehand.
#       On the other machine: tar xzf FILE && scripts/gpu_check.sh
#   scripts/gpu_check.sh --rehearse [--budget SECONDS] [FOLDER]
#       The visit against a driver that executes nothing and a compiler that compiles nothing, with faults in steps, test cases and
#       benchmarks: they hang, crash, poison their context, or leave processes behind. Exit status 0 if all else is in the report.
#
# Every step has a time limit and appends its result to report.md as it ends, so a hang or a crash costs only that step. Test
# cases run in processes of their own: an illegal access poisons the CUDA context of the process that made it and no other. No
# step starts unless the budget covers its limit, test cases have half of the budget, and what is left out is named. No process
# of a step outlives it.
set -uo pipefail
cd "$(dirname "$0")/.."

budget=480 out=${OUT:-gpu_check} mode=visit file=
while [ $# -gt 0 ]; do
  case $1 in
    --budget) budget=${2:?--budget SECONDS}; shift ;;
    --out) out=${2:?--out FOLDER}; shift ;;
    --pack) mode=pack file=${2:?--pack FILE}; shift ;;
    --rehearse) mode=rehearse ;;
    *)
      if [ $mode != rehearse ] || [ "${1#-}" != "$1" ]; then
        sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2
        exit 2
      fi
      out=$1
      ;;
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
  do_nothing=$(cd "$build/tests/do_nothing" && pwd)
  export EFLOW_CUDA_DRIVER=$do_nothing/libcuda.so EFLOW_CUBLASLT=$do_nothing/libcublasLt.so
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
  export EFLOW_CHECK_REHEARSAL=1 EFLOW_NVRTC=$do_nothing/libnvrtc.so
  [ "$budget" -lt 170 ] || budget=170
fi

mkdir -p "$out"
out=$(cd "$out" && pwd)
report=$out/report.md begin=$EPOCHSECONDS
rm -rf "$out"/{cases,cases.txt,logs,sessions}
mkdir -p "$out"/{cases,logs,sessions}
: >"$report"
: >"$out/failed"
: >"$out/left_out"
: >"$out/cases.txt"
[ "$mode" != rehearse ] || EFLOW_CACHE_DIR=$out/cache
export EFLOW_CACHE_DIR=${EFLOW_CACHE_DIR:-$out/cache}
[ -f kernels.pack ] && export EFLOW_PACKS=$PWD/kernels.pack
passed() { echo $((EPOCHSECONDS - begin)); }
left() { echo $((budget - (EPOCHSECONDS - begin))); }

# end_session ID: ends all processes of a session. By /proc, because a bare machine may lack pkill.
end_session() {
  local stat line fields
  for stat in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null <"$stat" || continue
    read -ra fields <<<"${line##*) }"  # state, parent, group, session
    if [ "${fields[3]:-}" = "$1" ] && [ "${fields[0]}" != Z ]; then kill -KILL "$(basename "${stat%/stat}")" 2>/dev/null; fi
  done
  rm -f "$out/sessions/$1"
}
end_all() {
  local session
  [ -z "${cases_job:-}" ] || kill "$cases_job" 2>/dev/null
  for session in "$out"/sessions/*; do [ ! -e "$session" ] || end_session "${session##*/}"; done
}
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# guarded LIMIT COMMAND...: the command's status, or 124 or 137 if it did not end within the limit. The outer limit is for a
# process that nothing can end while the driver holds it.
guarded() {
  local limit=$1 session code
  shift
  setsid timeout -k 1 $((limit + 8)) timeout -k 3 "$limit" "$@" </dev/null &
  session=$!
  : >"$out/sessions/$session"
  wait $session
  code=$?
  end_session $session
  return $code
}

# meaning CODE: what an exit status says.
meaning() {
  case $1 in
    0) echo passed ;;
    77) echo skipped ;;
    124) echo 'timed out' ;;
    137) echo 'killed at its limit, or for memory' ;;
    left_out) echo 'left out or cut short: the time of the test cases was over' ;;
    13[0-9]) echo "crashed, signal $(kill -l $(($1 - 128)))" ;;
    *) echo failed ;;
  esac
}

# planted NAME: in a rehearsal, the fault that the driver plants in a step or a test case (EFLOW_DRIVER_FAULT of do_nothing/).
planted() {
  case ${EFLOW_CHECK_REHEARSAL:+$1} in
    ops/exp_agrees_with_the_cpu | ranks/two_ranks_on_one_gpu | step.sprites.f32.graphs) echo hang ;;
    ops/mul_agrees_with_the_cpu | glga.d64.bf16) echo crash ;;
    ops/sub_agrees_with_the_cpu | step.trace) echo illegal ;;
  esac
}
kPlantedLimit=4

# step NAME LIMIT COMMAND...: runs the command under a limit in seconds; output and exit status go into the report at once.
step() {
  local name=$1 limit=$2 start=$EPOCHSECONDS code log fault
  shift 2
  log=$out/logs/$name.log
  [ -z "${EFLOW_CHECK_WARMS_CACHE:-}" ] || limit=$((10 * limit))
  fault=$(planted "$name")
  [ -z "$fault" ] || { limit=$kPlantedLimit; set -- env EFLOW_DRIVER_FAULT=$fault "$@"; }
  guarded "$limit" "$@" >"$log" 2>&1
  code=$?
  [ $code -eq 0 ] || [ $code -eq 77 ] || echo "$name ($(meaning $code))" >>"$out/failed"
  {
    printf '\n## %s: exit %d (%s), %d s (at %d s)\n\n`%s`\n\n```\n' "$name" $code "$(meaning $code)" $((EPOCHSECONDS - start)) \
      "$(passed)" "$*"
    head -n 40 "$log" | cut -c 1-400
    if [ "$(wc -l <"$log")" -gt 80 ]; then echo '[...]'; fi
    tail -n +41 "$log" | tail -n 40 | cut -c 1-400
    printf '```\n'
  } >"$log.part"
  flock "$report" cat "$log.part" >>"$report"
  rm -f "$log.part"
  printf '%-28s exit %-3d %3d s\n' "$name" $code $((EPOCHSECONDS - start))
}
# figure NAME LIMIT COMMAND...: a step that is left out when the budget does not cover its limit.
figure() {
  if [ "$(left)" -lt "$2" ]; then
    printf '\n%s left out: of the budget %d s remain, its limit is %d s\n' "$1" "$(left)" "$2" | tee -a "$report"
    echo "$1" >>"$out/left_out"
    return
  fi
  step "$@"
}

# NVRTC, cuBLASLt and NCCL: the system's, the toolkit's, or those that PyTorch's wheels carry (builtins in the same folder).
python=${EFLOW_PYTHON:-python3}
doctor() { timeout -k 3 30 "$eflow" jit doctor 2>&1; }
if ! doctor | grep -q '^nvrtc  *nvrtc' || ! doctor | grep -q '^nccl  *[0-9]'; then
  wheels=$(timeout 20 "$python" -c '
import glob, importlib.util, os
spec = importlib.util.find_spec("nvidia")
roots = spec.submodule_search_locations if spec else []
found = {os.path.dirname(f) for r in roots for n in ("libnvrtc.so.1*", "libcublasLt.so.1*", "libnccl.so.2*") for f in glob.glob(r + "/**/" + n, recursive=True)}
print(":".join(sorted(found)))' 2>/dev/null)
  export LD_LIBRARY_PATH=$wheels${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi

gpu=$(doctor | sed -n 's/^gpu  *//p')
arch=$(grep -oE 'sm_[0-9]+a?' <<<"$gpu" | head -1)
if [ -z "$arch" ]; then echo "skipped: $gpu"; exit 77; fi
printf '# GPU check\n\n%s, %s\n' "$(date -u +%Y-%m-%d)" "$gpu" >"$report"
step machine 20 bash -c "nvidia-smi; $eflow jit doctor; ldd --version | head -1; nproc; grep -m1 'model name' /proc/cpuinfo"

# 1. Correctness. One process for each test case, as many at once as there are cores (at most 12).
if [ -n "${EFLOW_CHECK_REHEARSAL:-}" ]; then
  step injected.hang 3 sleep 1000 &
  step injected.deaf 3 bash -c 'trap "" TERM; sleep 1000; sleep 1000' &
  step injected.crash 10 bash -c 'kill -SEGV $$' &
  step injected.child 10 bash -c 'sleep 1000 & echo left a process behind' &
fi
if [ -n "${EFLOW_CHECK_WARMS_CACHE:-}" ]; then
  for name in "${tests[@]}"; do step "test.$name" 120 "$build/tests/test.gpu.$name" --log_level=nothing --color_output=no; done
else
  # Prints "TEST CASE" for every case.
  list_cases() {
    local name cases
    for name in "${tests[@]}"; do
      cases=$(timeout 20 "$build/tests/test.gpu.$name" --list_content 2>&1 | sed -n 's/^\([A-Za-z0-9_]*\)\*.*/\1/p')
      if [ -n "$cases" ]; then sed "s/^/$name /" <<<"$cases"; else echo "127 $name/no_cases_listed" >>"$out/cases.txt"; fi
    done
  }
  # run_case TEST CASE: adds its status to cases.txt.
  run_case() {
    local name=$1 case=$2 limit=$((cases_end - EPOCHSECONDS)) fault code late=left_out
    [ $limit -ge 5 ] || { echo "left_out $name/$case" >>"$out/cases.txt"; return; }
    [ $limit -lt 150 ] || limit=150 late=124
    fault=$(planted "$name/$case")
    [ -z "$fault" ] || limit=$kPlantedLimit late=124
    EFLOW_DRIVER_FAULT=$fault guarded $limit "$build/tests/test.gpu.$name" --run_test="$case" --log_level=message --color_output=no \
      >"$out/cases/$name.$case.log" 2>&1
    code=$?
    [ $code -ne 124 ] || code=$late
    echo "$code $name/$case" >>"$out/cases.txt"
  }
  export -f run_case guarded end_session planted
  export build out kPlantedLimit cases_end=$((EPOCHSECONDS + $(left) / 2))
  cases_at_once=$(nproc)
  [ "$cases_at_once" -lt 12 ] || cases_at_once=12
  list_cases | xargs -P "$cases_at_once" -L 1 bash -c 'run_case "$@"' _ &
  cases_job=$!
  wait $cases_job
  cases_job=
  summary() {
    local code case
    echo "$(grep -c '^0 ' "$out/cases.txt") cases passed, $(grep -cv '^0 ' "$out/cases.txt") did not"
    for code in $(grep -v '^0 ' "$out/cases.txt" | cut -d ' ' -f 1 | sort -u); do
      echo "$(meaning "$code") ($code): $(sed -n "s/^$code //p" "$out/cases.txt" | sort | tr '\n' ' ')" | fold -s -w 300
    done
    grep -v '^0 ' "$out/cases.txt" | sort -k 2 | while read -r code case; do
      [ "$code" != left_out ] || continue
      printf '\n--- %s: exit %s (%s)\n' "$case" "$code" "$(meaning "$code")"
      head -n 12 "$out/cases/${case/\//.}.log" | cut -c 1-300
    done >"$out/cases/summary"
    [ ! -s "$out/cases/summary" ] || cat "$out/cases/summary"
    ! grep -qvE '^(0|77) ' "$out/cases.txt"
  }
  export -f summary meaning
  step cases 20 bash -c summary
  sed -n 's|^left_out \(.*\)|\1|p' "$out/cases.txt" >>"$out/left_out"
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
  # The default against the tiles that the model (benchmarks/gpu_model) expects most of.
  forward='glga_forward<bf16>(128, 1, 1, 1, 1, -1, 0, 64' narrow='glga_forward<bf16>(64, 1, 1, 1, 1, -1, 0' queries='glga_queries_grad<bf16>(128, 1, 1, 0, 0, -1, 0, 64'
  keys='glga_keys_grad<bf16>(128, 1, 1, 0, 0, -1, 0'
  walk=(--device cuda --sizes n=32768,heads=12,radius=4680)
  figure walk.forward 40 "$eflow" jit bench "$forward, 64)" "$forward, 64, 1)" "${walk[@]}"
  figure walk.forward.bulk 40 "$eflow" jit bench "$forward, 64, 1, 1)" "$forward, 32, 1, 1)" "${walk[@]}"
  figure walk.forward.d64 40 "$eflow" jit bench "$narrow, 64, 64)" "$narrow, 128, 64, 1, 1)" "${walk[@]}"
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
  printf '\n## Summary\n\n%d s. ' "$(passed)"
  if [ -s "$out/failed" ]; then printf 'Failed: %s.\n' "$(paste -sd'|' "$out/failed" | sed 's/|/, /g')"; else echo 'All steps passed.'; fi
  [ ! -s "$out/left_out" ] || printf 'Left out: %s.\n' "$(paste -sd'|' "$out/left_out" | sed 's/|/, /g')"
} | tee -a "$report"
tar czf "$out/cases.tar.gz" -C "$out" cases
tar czf "$out/logs.tar.gz" -C "$out" logs
echo "$report"
status=0
[ ! -s "$out/failed" ] || status=1

# What the report of a rehearsal lacks.
rehearsal_faults() {
  local part name
  for part in 'injected.hang: exit 124' 'injected.deaf: exit 137' 'injected.crash: exit 139' 'injected.child: exit 0' 'machine: exit 0' \
    'cases: exit' 'Summary'; do
    grep -q "^## $part" "$report" || echo "\"## $part\""
  done
  for name in "${tests[@]}"; do
    grep -qE "^[0-9a-z_]+ $name/" "$out/cases.txt" || echo "a case of test.gpu.$name"
    grep -qE "^127 $name/" "$out/cases.txt" && echo "the cases of test.gpu.$name"
  done
  # Every case and every step is in the report or among those left out; only those with a fault hung or crashed.
  while read -r code name; do
    case $(planted "$name"):$code in
      hang:124 | crash:[1-9]* | illegal:[1-9]* | *:left_out) ;;
      :124 | :137 | :13[0-9]) echo "an ordinary end of $name, which has no fault (exit $code)" ;;
      hang:* | crash:* | illegal:*) echo "the fault planted in $name (exit $code)" ;;
    esac
  done <"$out/cases.txt"
  for name in jit.overheads step.{sprites.{f32,bf16}{,.graphs},trace,B,B.graphs} glga.{d128.bf16,d64.bf16,d128.f32} walk.{forward{,.bulk,.d64},queries,keys}; do
    case $(planted "$name") in
      hang) part='exit 124 (timed out)' ;;
      crash) part='exit 139 (crashed, signal SEGV)' ;;
      illegal) part='exit [1-9][0-9]* (failed)' ;;
      *) part='exit 0 (passed)' ;;
    esac
    grep -q "^## $name: $part" "$report" || grep -qx "$name" "$out/left_out" || echo "\"## $name: $part\""
  done
  [ "$(left)" -ge -12 ] || echo "an end within the budget of $budget s"
}
if [ -n "${EFLOW_CHECK_REHEARSAL:-}" ]; then
  faults=$(rehearsal_faults)
  [ -z "$faults" ] || { sed 's/^/the report lacks /' <<<"$faults" >&2; exit 1; }
  status=0
fi
rm -rf "$out"/{cases,logs}
exit $status
