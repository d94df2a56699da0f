#!/usr/bin/env bash
# Compiles every default specialisation and every built-in kernel for all GPU architectures. Needs
# NVRTC but no GPU. Fails if a kernel does not compile or spills registers. Writes registers, shared
# memory and compile times per NVRTC version to benchmarks/results/cubins.md. Kernels in the JIT
# cache are not compiled again. If nvdisasm is in PATH (it need not be of NVRTC's version), also counts
# the instructions of attention on sm_90a and fails on what scripts/sass_counts.py refuses; with
# wgmma, that is also an access to registers of a product in flight.
#   scripts/check_cubins.sh [--sample] [EFLOW [FILE [NVRTC...]]]
#     --sample  all kernels for sm_90a, every ninth of attention's for the other architectures
#     EFLOW   the program (default build/release/bin/eflow)
#     FILE    the report (default benchmarks/results/cubins.md; of a sample, build/cubins.md)
#     NVRTC   NVRTC libraries to use in turn (default: the one that eflow finds)
set -euo pipefail
cd "$(dirname "$0")/.."
sample=
if [ "${1:-}" = --sample ]; then sample=yes; shift; fi
results=${sample:+build}
eflow=${1:-build/release/bin/eflow} file=${2:-${results:-benchmarks/results}/cubins.md}
libraries=("${@:3}")
[ ${#libraries[@]} -gt 0 ] || libraries=("${EFLOW_NVRTC:-}")
archs=sm_80,sm_89,sm_90a,sm_100,sm_120

[ -x "$eflow" ] || { echo "$eflow does not exist; build it first or pass its path" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
  echo '# Kernels for GPUs'
  echo
  echo 'Written by `scripts/check_cubins.sh` without a GPU: the figures of NVRTC and its assembler for every default specialisation'
  echo '(docs/specialisations.md) and every built-in kernel. No GPU ran them here. Compile times are'
  echo 'CPU times of the compiling thread.'
} >"$work/report"

status=0
for library in "${libraries[@]}"; do
  export EFLOW_NVRTC=$library
  nvrtc=$("$eflow" jit doctor | sed -n 's/^nvrtc  *\(nvrtc .*\)/\1/p')
  if [ -z "$nvrtc" ]; then
    echo "skipped: no NVRTC${library:+ at $library} (EFLOW_NVRTC names its library); no cubin was checked"
    exit 77
  fi
  # prepare LIST ARCHS: compiles the kernels of a list; their figures join the report.
  prepare() {
    "$eflow" jit prepare --list "$1" --arch "$2" --spills refuse --report "$work/part" >"$work/log" || status=1
    grep -E 'FAILED|SPILLS|kernels for' "$work/log" || true
    { printf '\n## %s\n\n' "$nvrtc"; cat "$work/part"; } >>"$work/report"
  }
  if [ -n "$sample" ]; then
    prepare default sm_90a
    sed -n 's/^| `\(glga_[^`]*)\)` .*/\1/p' "$work/part" | awk 'NR % 9 == 1' >"$work/sample"
    prepare "$work/sample" "${archs/sm_90a,/}"
  else
    prepare default "$archs"
  fi
done

# What wgmma adds to the default kernels.
wgmma=(
  'glga_forward<bf16>(128, 1, 1, 1, 1, -1, 0, 64, 64, 1)'
  'glga_queries_grad<bf16>(128, 1, 1, 0, 0, -1, 0, 64, 64, 1)'
  'glga_keys_grad<bf16>(128, 1, 1, 0, 0, -1, 0, 32, 64, 1, 0)')
if command -v nvdisasm >/dev/null && command -v python3 >/dev/null; then
  mapfile -t kernels < <(sed -n 's/^| `\(glga_[^`]*)\)` .*/\1/p' "$work/report" | sort -u)
  pairs=()
  for kernel in "${kernels[@]}" "${wgmma[@]}"; do
    code=$work/${#pairs[@]}.sass
    if "$eflow" jit compile "$kernel" --arch sm_90a --sass "$code" >"$work/log"; then
      pairs+=("$kernel" "$code")
    else
      cat "$work/log"
      status=1
    fi
  done
  printf '\n## Machine code of attention on sm_90a\n\n' >>"$work/report"
  "$PWD/scripts/sass_counts.py" "${pairs[@]}" >"$work/part" || status=1
  cat "$work/part" >>"$work/report"
  grep -v 'none |$' "$work/part" | tail -n +3 || true
else
  echo 'nvdisasm or python3 is not in PATH: machine code was not checked'
fi
mkdir -p "$(dirname "$file")"
cp "$work/report" "$file"
exit $status
