#!/usr/bin/env python3
"""Gated local-global attention, forward and backward, in PyTorch on the CPU beside `eflow bench glga`, in the same run.

    peer_torch_glga.py --eflow build/release/bin/eflow [--tokens 2048] [--window half] [--head 64] [--threads 2]

PyTorch's side is the fastest that we could write of its own pieces: the local branch by scaled_dot_product_attention with
the band as a mask, or by compiled FlexAttention with the band as a block mask, the better of the two; the global branch as
two products; RMSNorm per head with affine, gates, sum; with and without torch.compile. Prints one JSON object with the
seconds of each and the ratio of the best to eflow's. PyTorch is a peer here and nothing else: the product does not use it.
"""
import argparse, json, statistics, subprocess, time

import torch
from torch.nn import functional as F
from torch.nn.attention.flex_attention import create_block_mask, flex_attention


def rms(x, weight):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * weight


def joined(local, q, k, v, gates, weights):
    total = q @ (k.transpose(-1, -2) @ v / k.shape[-2])
    return gates[0] * rms(total, weights[0]) + gates[1] * rms(local, weights[1])


def contenders(n, radius):
    at = torch.arange(n)
    band = (at[:, None] - at[None, :]).abs() <= radius
    block_mask = create_block_mask(lambda b, h, i, j: (i - j).abs() <= radius, None, None, n, n, device="cpu")
    masked = lambda q, k, v, g, w: joined(F.scaled_dot_product_attention(q, k, v, attn_mask=band), q, k, v, g, w)
    flex = lambda q, k, v, g, w: joined(flex_attention(q, k, v, block_mask=block_mask), q, k, v, g, w)
    return {"sdpa": masked, "sdpa, compiled": torch.compile(masked), "flex, compiled": torch.compile(flex)}


def seconds_of(run, least=1.0):
    run()
    taken, begin = [], time.perf_counter()
    while len(taken) < 5 or time.perf_counter() - begin < least:
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--eflow", required=True)
    p.add_argument("--tokens", type=int, default=2048)
    p.add_argument("--window", default="half")
    p.add_argument("--head", type=int, default=64)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)

    words = [a.eflow, "bench", "glga", "--json", "--no-composition", "--drop", "0", "--dtype", "f32", "--window", a.window]
    for name in ("tokens", "head", "heads", "threads"):
        words += [f"--{name}", str(getattr(a, name))]
    ours = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)["results"][0]
    radius = ours["window"] // 2

    tensor = lambda: torch.randn(1, a.heads, a.tokens, a.head, requires_grad=True)
    q, k, v, dy = tensor(), tensor(), tensor(), tensor().detach()
    gates = [torch.rand(1, a.heads, a.tokens, 1, requires_grad=True) for _ in range(2)]
    weights = [torch.ones(a.heads, 1, a.head, requires_grad=True) for _ in range(2)]
    inputs = [q, k, v, *gates, *weights]
    result = {"torch": torch.__version__, "tokens": a.tokens, "window": ours["window"], "head": a.head, "heads": a.heads,
              "threads": a.threads, "eflow": {x: ours[x]["seconds"] for x in ("forward", "backward")}}
    for name, f in contenders(a.tokens, radius).items():
        try:
            with torch.no_grad():
                forward = seconds_of(lambda: f(q, k, v, gates, weights))
            both = seconds_of(lambda: torch.autograd.grad(f(q, k, v, gates, weights), inputs, dy))
            result[name] = {"forward": forward, "forward_and_backward": both}
        except Exception as error:  # a contender that this version cannot run
            result[name] = {"failed": str(error).splitlines()[0][:200]}
    best = lambda what: min(r[what] for r in result.values() if isinstance(r, dict) and what in r)
    both = sum(result["eflow"].values())
    result["torch_over_eflow"] = {
        "forward": min(r["forward"] for x, r in result.items() if isinstance(r, dict) and "forward" in r and x != "eflow")
        / result["eflow"]["forward"],
        "forward_and_backward": best("forward_and_backward") / both}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
