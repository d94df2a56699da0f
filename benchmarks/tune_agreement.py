"""Whether the tuner agrees with itself: tunes the product of examples/kernels/matmul.h, which has 252 configurations here, several
times from nothing, each time with a tuning database of its own, and compares the winners.

    benchmarks/tune_agreement.py --eflow build/release/bin/eflow [--runs 3] [--cpu-time yes] [--cache DIR]

Compiled kernels are shared by the runs. For each run the table shows the winner, its gain over the default and whether the race
was decided; then each pair of different winners is timed alternately by `eflow jit bench`.
"""
import argparse
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

TUNABLES = "c0=128,32,64,96,192,256;c1=128,32,64,96,192,256;c2=256,32,64,96,128,192,512"
TEXT = pathlib.Path(__file__).parent.parent / "examples" / "kernels" / "matmul.h"


def command(a, words, cache):
    line = [a.eflow, "jit", *words, "--text", str(TEXT), "--expression", "matmul<$t0, $c0, $c1, $c2>",
            "--arguments", "x:f32[m*k], w:f32[k*n], bias:f32[n], out y:f32[m*n], m, n, k", "--grid", "(n+$c1-1)/$c1, (m+$c0-1)/$c0",
            "--sizes", f"m={a.size},n={a.size},k={a.size}", "--cpu-time", a.cpu_time]
    environment = {"EFLOW_CACHE_DIR": str(cache), "EFLOW_THREADS": str(a.threads), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    return subprocess.run(line, check=True, capture_output=True, text=True, env=environment).stdout


def kernel(config):
    values = config["config"]
    return f"matmul<f32>({values['c0']}, {values['c1']}, {values['c2']})"


def tune(a, cache):
    """The record that one run leaves, the lines that it printed, and its seconds."""
    records = cache / "v1" / "tune"
    shutil.rmtree(records, ignore_errors=True)
    begin = time.perf_counter()
    said = command(a, ["tune", "run", "matmul<f32>(0, 0, 0)", "--tunables", TUNABLES], cache)
    seconds = time.perf_counter() - begin
    found = list(records.rglob("*.json"))
    assert len(found) == 1, found
    return json.loads(found[0].read_text()), said, seconds


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--eflow", required=True)
    a.add_argument("--runs", type=int, default=3)
    a.add_argument("--size", type=int, default=512, help="m, n and k")
    a.add_argument("--threads", type=int, default=0)
    a.add_argument("--cpu-time", choices=["no", "yes"], default="no", help="yes: CPU time, for machines with other load")
    a.add_argument("--cache", type=pathlib.Path, default=None, help="directory of compiled kernels to keep; its tuning records are removed")
    a = a.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        cache = a.cache or pathlib.Path(temporary)
        cache.mkdir(mode=0o700, exist_ok=True)
        winners = []
        print("| run | winner | median | gain over the default | configs timed | rounds | seconds | the tuner says |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for run in range(1, a.runs + 1):
            record, said, seconds = tune(a, cache)
            best = record["configs"][record["best"]]
            timed = sum(len(c["samples"]) > 0 for c in record["configs"])
            verdict = "finished" if record["finished"] else "unfinished"
            rounds = re.search(r"\((\d+) rounds\)", said)
            margin = re.search(r"another config may take up to ([0-9.]+ %) less", said)
            verdict += f", another may take up to {margin[1]} less" if margin else ""
            print(f"| {run} | {kernel(best)} | {best['us'][1]:.0f} us | {100 * record['gain']:.1f} % | {timed} "
                  f"| {rounds[1] if rounds else '-'} | {seconds:.0f} | {verdict} |", flush=True)
            winners.append(kernel(best))
        distinct = list(dict.fromkeys(winners))
        if len(distinct) == 1:
            print("\nThe winner is the same in all runs.")
        for one, other in itertools.combinations(distinct, 2):
            print(f"\n{one} against {other}:\n{command(a, ['bench', one, other], cache)}", flush=True)


if __name__ == "__main__":
    main()
