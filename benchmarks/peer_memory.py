#!/usr/bin/env python3
"""Peak memory of a training step on the CPU, beside the PyTorch twin of peer_torch.py, eager and compiled.

    peer_memory.py --eflow build/release/bin/eflow [--dtype f32] [--vary tokens,blocks,batch] [--compile]

Prints a Markdown table. Every figure is the peak resident memory of a process of its own (ru_maxrss) that runs a few steps,
less that of the same program with a model of one small block, which is the program, its libraries and, for PyTorch, its
compiler. eflow is measured with and without train.recompute. One size varies at a time, the others keep their middle value.
"""
import argparse, json, os, subprocess, sys, tempfile

# tokens come from square frames of 8 x 8 patches of 2 x 4 x 4 values; frames vary
SIZES = {"tokens": (512, 1024, 2048, 4096), "blocks": (4, 8, 16), "batch": (2, 4, 8)}
MIDDLE = {"tokens": 1024, "blocks": 8, "batch": 4}
SMALLEST = {"tokens": 64, "blocks": 3, "batch": 1}
CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../configs/sprites.ini")
DIM = {"middle": 384, "smallest": 64}


def settings(size):
    dim = DIM["smallest" if size is SMALLEST else "middle"]
    return [f"--data.clip=3x{size['tokens'] // 32}x32x32", f"--model.dim={dim}",
            f"--model.heads={dim // 64}", "--model.patch_t=2", "--model.patch_h=4",
            "--model.patch_w=4", "--model.encoder=1", f"--model.middle={size['blocks'] - 2}", "--model.decoder=1",
            f"--train.batch={size['batch']}"]


def peak_mib(command, **options):
    """Runs a command to its end and returns its peak resident memory and its output."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(command, stdout=out, stderr=err, **options)
        _, status, usage = os.wait4(child.pid, 0)
        out.seek(0), err.seek(0)
        if status != 0:
            raise RuntimeError(f"{' '.join(command)} failed: {err.read().decode()[-2000:]}")
        return usage.ru_maxrss / 1024, out.read()


def eflow(a, size, recompute):
    command = [a.eflow, "bench", "step", "--json", "--steps=1", f"--config={CONFIG}", f"--train.precision={a.dtype}",
               f"--train.recompute={'true' if recompute else 'false'}"] + settings(size)
    peak, out = peak_mib(command)
    return peak, json.loads(out)["model"]


def torch_peak(a, model, compiled):
    code = ("import argparse, json, sys, torch, peer_torch\n"
            "model, dtype, compiled, threads = json.loads(sys.argv[1])\n"
            "torch.set_num_threads(threads)\n"
            "peer_torch.twin(argparse.Namespace(**model), 'cpu', getattr(torch, dtype), compiled)\n")
    dtype = {"f32": "float32", "bf16": "bfloat16"}[a.dtype]
    argument = json.dumps([model, dtype, compiled, os.cpu_count()])
    return peak_mib([sys.executable, "-c", code, argument], cwd=os.path.dirname(os.path.abspath(__file__)))[0]


def row(a, size):
    """The peaks in MiB: eflow, with recomputation, PyTorch eager and, if asked for, compiled."""
    plain, model = eflow(a, size, False)
    peaks = [plain, eflow(a, size, True)[0], torch_peak(a, model, False)]
    return peaks + [torch_peak(a, model, True)] if a.compile else peaks


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--eflow", required=True)
    a.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
    a.add_argument("--vary", default="tokens,blocks,batch", help="the sizes that vary, a comma between them")
    a.add_argument("--compile", action="store_true", help="also torch.compile, which takes minutes a size")
    parser, a = a, a.parse_args()
    a.eflow = os.path.abspath(a.eflow)
    unknown = set(a.vary.split(",")) - set(SIZES)
    if unknown:
        parser.error(f"--vary: {', '.join(sorted(unknown))} is not one of {', '.join(SIZES)}")
    base = row(a, SMALLEST)
    print(f"Without a model, MiB: {', '.join(f'{mib:.0f}' for mib in base)}.\n")
    names = ["eflow", "recomputing", "PyTorch eager"] + ["compiled"] * a.compile
    ratios = [f"{name} / eflow" for name in names[2:]]
    print(f"| tokens | blocks | batch | {', MiB | '.join(names)}, MiB | {' | '.join(ratios)} |")
    print("| --- " * (3 + len(names) + len(ratios)) + "|", flush=True)
    done = set()
    for what in a.vary.split(","):
        for value in SIZES[what]:
            size = {**MIDDLE, what: value}
            if tuple(size.values()) in done:
                continue
            done.add(tuple(size.values()))
            peaks = [peak - start for peak, start in zip(row(a, size), base)]
            cells = [str(v) for v in size.values()] + [f"{mib:.0f}" for mib in peaks]
            print(f"| {' | '.join(cells + [f'{mib / peaks[0]:.2f}' for mib in peaks[2:]])} |", flush=True)


if __name__ == "__main__":
    main()
