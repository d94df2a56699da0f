"""The kernels of examples/kernels against the same operations of PyTorch, on the CPU.

    benchmarks/peer_kernels.py --bench build/release/benchmarks/kernel_bench [--threads 1] [--seconds 0.5] [--only attention]

Both take turns, kernel by kernel: `--rounds` times, and the best time of each counts. Prints a table with PyTorch's time over
ours; more than 1 means that ours is faster.
"""
import argparse
import json
import subprocess
import time

import torch
import torch.nn.functional as F


def random(*shape, dtype):
    return (torch.rand(*shape) * 2 - 1).to(dtype)


def operation(name, s, dtype):
    """A function without arguments that computes what the kernel computes."""
    def made(*shape, of=dtype):
        return random(*shape, dtype=of)
    if name == "vector_add":
        x, y, z = made(s["n"]), made(s["n"]), made(s["n"])
        return lambda: torch.add(x, y, out=z)
    if name == "softmax":
        x = made(s["rows"], s["width"])
        return lambda: torch.softmax(x, 1)
    if name == "dropout":
        x = made(s["n"])
        return lambda: F.dropout(x, 0.25)
    if name == "matmul":
        x, w, b = made(s["m"], s["k"]), made(s["k"], s["n"]), made(s["n"])
        return lambda: F.gelu(torch.addmm(b, x, w), approximate="tanh")
    if name == "layer_norm":
        x, f, o = made(s["rows"], s["width"]), made(s["width"]), made(s["width"])
        return lambda: torch.native_layer_norm(x, [s["width"]], f, o, 1e-5)
    if name == "layer_norm_grad":
        x, dy, f, o = made(s["rows"], s["width"]), made(s["rows"], s["width"]), made(s["width"]), made(s["width"])
        _, mean, rstd = torch.native_layer_norm(x, [s["width"]], f, o, 1e-5)
        return lambda: torch.ops.aten.native_layer_norm_backward(dy, x, [s["width"]], mean, rstd, f, o, [True, True, True])
    if name == "attention":
        q, k, v = (made(1, s["heads"], s["tokens"], s["dim"]) for _ in range(3))
        return lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
    if name == "grouped_gemm":
        begin = s["begin"]
        x, w, y = made(begin[-1], s["k"]), made(len(begin) - 1, s["k"], s["n"]), made(begin[-1], s["n"])

        def grouped():
            for g in range(len(begin) - 1):
                torch.mm(x[begin[g]:begin[g + 1]], w[g], out=y[begin[g]:begin[g + 1]])
        return grouped
    if name == "cumsum":
        x = made(s["rows"], s["width"])
        return lambda: torch.cumsum(x, 1)
    index = torch.arange(s["rows"]) * 7919 % s["entries"]
    if name == "gather_rows":
        table = made(s["entries"], s["width"])
        return lambda: torch.index_select(table, 0, index)
    if name == "scatter_add":  # sums in f32, as ours; PyTorch wants one dtype
        sums, y = torch.zeros(s["entries"], s["width"]), made(s["rows"], s["width"])
        return lambda: sums.index_add_(0, index, y.float())
    raise ValueError(name)


def best_of(run, seconds, now):
    run()
    best, end = 1e30, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin, count = now(), 0
        while now() - begin < 0.005:
            run()
            count += 1
        best = min(best, (now() - begin) / count)
    return best


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--bench", required=True)
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--seconds", type=float, default=0.3)
    a.add_argument("--rounds", type=int, default=2)
    a.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: CPU time, for machines with other load; one thread")
    a.add_argument("--only", default="")
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_grad_enabled(False)
    command = [a.bench, "--threads", str(a.threads), "--seconds", str(a.seconds), "--only", a.only, "--clock", a.clock]
    now = time.process_time if a.clock == "cpu" else time.perf_counter
    ours, theirs, isa = {}, {}, ""
    for _ in range(a.rounds):
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        isa = result["isa"]
        for case in result["cases"]:
            key = case["name"], case["dtype"]
            dtype = torch.float32 if case["dtype"] == "f32" else torch.bfloat16
            ours[key] = min(ours.get(key, 1e30), case["seconds"])
            run = operation(case["name"], case["sizes"], dtype)
            theirs[key] = min(theirs.get(key, 1e30), best_of(run, a.seconds, now))
    print(f"PyTorch {torch.__version__}, {isa}, threads: {a.threads}, {a.clock} clock\n")
    print("| kernel | dtype | eflow | PyTorch | PyTorch / eflow |\n| --- | --- | --- | --- | --- |")
    for name, dtype in ours:
        us, them = ours[name, dtype] * 1e6, theirs[name, dtype] * 1e6
        print(f"| {name} | {dtype} | {us:.0f} us | {them:.0f} us | {them / us:.2f} |")


if __name__ == "__main__":
    main()
