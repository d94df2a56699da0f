#!/usr/bin/env python3
"""Gated local-global attention, forward and backward, in PyTorch and in `eflow bench glga`, timed in one run.

    peer_torch_glga.py --eflow build/release/bin/eflow [--tokens 2048] [--window half] [--head 64] [--threads 2]
    peer_torch_glga.py --eflow build/release/bin/eflow --device cuda [--dtype bf16] [--tokens 32768] [--window 9360] [--head 128]

The PyTorch side is the fastest composition that we could write. Local branch: scaled_dot_product_attention with a band
mask, compiled FlexAttention with a block mask, or, if it is installed, FlashAttention with its own window. Global branch:
two products. Then RMSNorm per head with affine, gates and sum; with and without torch.compile. Prints one JSON object with
the seconds of each variant and the ratio of the best one to eflow; on a GPU also the seconds of full softmax attention,
which GLGA replaces. PyTorch serves only as a baseline; eflow does not use it.
"""
import argparse, json, statistics, subprocess

import torch
from torch.nn import functional as F
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

import peer_device


def rms(x, weight):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * weight


def joined(local, q, k, v, gates, weights):
    total = q @ (k.transpose(-1, -2) @ v / k.shape[-2])
    return gates[0] * rms(total, weights[0]) + gates[1] * rms(local, weights[1])


def flash_window(radius):
    """Returns attention with FlashAttention's own window, or None if it is not installed."""
    try:
        from flash_attn import flash_attn_func
    except ImportError:
        return None
    rows = lambda t: t.transpose(1, 2)  # [B, N, H, d]
    return lambda q, k, v, g, w: joined(
        rows(flash_attn_func(rows(q), rows(k), rows(v), window_size=(radius, radius))), q, k, v, g, w)


def contenders(n, radius, device, dtype):
    at = torch.arange(n, device=device)
    band = (at[:, None] - at[None, :]).abs() <= radius
    block_mask = create_block_mask(lambda b, h, i, j: (i - j).abs() <= radius, None, None, n, n, device=device)
    masked = lambda q, k, v, g, w: joined(F.scaled_dot_product_attention(q, k, v, attn_mask=band), q, k, v, g, w)
    flex = lambda q, k, v, g, w: joined(flex_attention(q, k, v, block_mask=block_mask), q, k, v, g, w)
    out = {"sdpa": masked, "sdpa, compiled": torch.compile(masked), "flex, compiled": torch.compile(flex)}
    flash = flash_window(radius) if device == "cuda" and dtype == torch.bfloat16 else None
    if flash:
        out |= {"flash": flash, "flash, compiled": torch.compile(flash)}
    return out


def measure(f, inputs, dy, device, pick):
    """Returns the seconds of forward and of forward and backward, or the error if this version cannot run it."""
    try:
        with torch.no_grad():
            forward = pick(peer_device.many_seconds(lambda: f(*inputs), device))
        flat = [t for x in inputs for t in (x if isinstance(x, list) else [x])]
        both = pick(peer_device.many_seconds(lambda: torch.autograd.grad(f(*inputs), flat, dy), device))
        return {"forward": forward, "forward_and_backward": both}
    except Exception as error:
        return {"failed": str(error).splitlines()[0][:200]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--eflow", required=True)
    p.add_argument("--tokens", type=int, default=2048)
    p.add_argument("--window", default="half")
    p.add_argument("--head", type=int, default=64)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--threads", type=int, default=2)
    peer_device.add_arguments(p, "f32")
    a = p.parse_args()
    device, dtype = peer_device.use(p, a)
    torch.set_num_threads(a.threads)

    words = [a.eflow, "bench", "glga", "--json", "--no-composition", "--drop", "0", "--dtype", a.dtype, "--window", a.window]
    if device == "cuda":
        words += ["--device", device]
    for name in ("tokens", "head", "heads", "threads"):
        words += [f"--{name}", str(getattr(a, name))]
    ours = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)["results"][0]
    radius = ours["window"] // 2

    def tensor(make, *shape):
        return make(*shape, device=device, dtype=dtype).requires_grad_()

    rows = (1, a.heads, a.tokens, a.head)
    q, k, v = (tensor(torch.randn, *rows) for _ in range(3))
    dy = torch.randn(*rows, device=device, dtype=dtype)
    gates = [tensor(torch.rand, 1, a.heads, a.tokens, 1) for _ in range(2)]
    weights = [tensor(torch.ones, a.heads, 1, a.head) for _ in range(2)]
    # eflow reports its fastest run, also on a GPU, where runs hardly differ.
    pick = min if device == "cuda" else statistics.median
    result = {"torch": torch.__version__, "device": peer_device.title(device), "dtype": a.dtype, "tokens": a.tokens,
              "window": ours["window"], "head": a.head, "heads": a.heads, "threads": a.threads,
              "eflow": {x: ours[x]["seconds"] for x in ("forward", "backward")}}
    peers = {}
    for name, f in contenders(a.tokens, radius, device, dtype).items():
        peers[name] = result[name] = measure(f, [q, k, v, gates, weights], dy, device, pick)
    if device == "cuda":
        result["full softmax"] = measure(F.scaled_dot_product_attention, [q, k, v], dy, device, pick)
    best = lambda what: min((r[what] for r in peers.values() if what in r), default=None)
    over = lambda theirs, own: theirs and theirs / own
    result["torch_over_eflow"] = {"forward": over(best("forward"), result["eflow"]["forward"]),
                                  "forward_and_backward": over(best("forward_and_backward"), sum(result["eflow"].values()))}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
