#!/usr/bin/env python3
"""A PyTorch twin of the training step that `eflow bench step` measures; times both in one run.

    peer_torch.py --eflow build/release/bin/eflow [--config configs/sprites.ini] [--compile] [--steps 10]
    peer_torch.py --eflow build/release/bin/eflow --device cuda [--dtype bf16] [--config configs/sprites.ini]

Same network (adaLN blocks, QK-RMSNorm over D, rotary positions, GLGA or softmax, data prediction, fusion of encoder and
middle), same batch (three quarters flow matching, one quarter solution consistency with its extra evaluation), AdamW and a
moving average of the weights. The sizes come from eflow's own JSON. Prints one JSON object with both times and their
ratio. On a GPU the twin runs eagerly, compiled, and compiled with FlexAttention instead of a mask; f32 uses TF32, and bf16
uses autocast, compared with `--train.precision=bf16`. PyTorch serves only as a baseline; eflow does not use it.
"""
import argparse, contextlib, copy, json, math, statistics, subprocess

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

import peer_device


class Rms(nn.Module):
    def __init__(self, width, groups=1):
        super().__init__()
        self.weight, self.groups = nn.Parameter(torch.ones(width)), groups

    def forward(self, x):
        parts = x.unflatten(-1, (self.groups, -1))
        parts = parts * torch.rsqrt(parts.square().mean(-1, keepdim=True) + 1e-6)
        return parts.flatten(-2) * self.weight


def rotary_tables(grid, head_dim, device):
    pairs = head_dim // 2
    axis = [pairs - 2 * (pairs // 3), pairs // 3, pairs // 3]
    where = torch.cartesian_prod(*[torch.arange(n, dtype=torch.float64) for n in grid])
    angles = torch.cat([where[:, i:i + 1] * 10000.0 ** (-torch.arange(n, dtype=torch.float64) / n)
                        for i, n in enumerate(axis)], -1)
    return angles.cos().float().to(device), angles.sin().float().to(device)


def rotate(x, tables):  # [B, N, H, d]
    cos, sin = (t[None, :, None, :] for t in tables)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, c, tables):
        super().__init__()
        self.c, self.tables = c, tables
        self.qkv, self.out = nn.Linear(c.dim, 3 * c.dim), nn.Linear(c.dim, c.dim)
        self.q_norm, self.k_norm = Rms(c.dim), Rms(c.dim)
        if c.attention == "glga":
            self.global_norm, self.local_norm = Rms(c.dim, c.heads), Rms(c.dim, c.heads)
            self.gate = nn.Linear(c.dim, 2)
            at = torch.arange(c.tokens)
            self.register_buffer("band", (at[:, None] - at[None, :]).abs() <= c.radius)
            self.blocks = None  # a block mask selects FlexAttention

    def forward(self, x):
        heads = lambda t: t.unflatten(-1, (self.c.heads, -1))
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k = rotate(heads(self.q_norm(q)), self.tables), rotate(heads(self.k_norm(k)), self.tables)
        q, k, v = (t.transpose(1, 2) for t in (q, k, heads(v)))
        join = lambda t: t.transpose(1, 2).flatten(2)
        if self.c.attention == "softmax":
            return self.out(join(F.scaled_dot_product_attention(q, k, v)))
        if self.blocks is None:
            local = F.scaled_dot_product_attention(q, k, v, attn_mask=self.band)
        else:
            local = flex_attention(q, k, v, block_mask=self.blocks)
        total = q @ (k.transpose(-1, -2) @ v / self.c.tokens)
        gates = torch.sigmoid(self.gate(x))
        return self.out(gates[..., :1] * self.global_norm(join(total)) + gates[..., 1:] * self.local_norm(join(local)))


class Block(nn.Module):
    def __init__(self, c, tables):
        super().__init__()
        self.attention = Attention(c, tables)
        self.up, self.down = nn.Linear(c.dim, c.hidden), nn.Linear(c.hidden, c.dim)
        self.table = nn.Parameter(torch.randn(6, c.dim) / math.sqrt(c.dim))
        self.width = (c.dim,)

    def forward(self, x, e):
        m = (e + self.table)[:, :, None]
        norm = lambda t, i: F.layer_norm(t, self.width, eps=1e-6) * (1 + m[:, i + 1]) + m[:, i]
        x = x + m[:, 2] * self.attention(norm(x, 0))
        return x + m[:, 5] * self.down(F.gelu(self.up(norm(x, 3)), approximate="tanh"))


class Dit(nn.Module):
    def __init__(self, c, device):
        super().__init__()
        self.c = c
        tables = rotary_tables(c.grid, c.dim // c.heads, device)
        values = c.channels * math.prod(c.patch)
        embed = lambda: nn.Sequential(nn.Linear(256, c.dim), nn.SiLU(), nn.Linear(c.dim, c.dim))
        self.patch, self.time, self.gap = nn.Linear(values, c.dim), embed(), embed()
        self.classes = nn.Embedding(c.classes + 1, c.dim)
        self.position = nn.Parameter(torch.zeros(c.tokens, c.dim))
        self.modulation = nn.Linear(c.dim, 6 * c.dim)
        self.blocks = nn.ModuleList(Block(c, tables) for _ in range(c.blocks))
        self.fusion, self.head = nn.Linear(2 * c.dim, c.dim), nn.Linear(c.dim, values)
        self.head_table = nn.Parameter(torch.randn(2, c.dim) / math.sqrt(c.dim))

    def forward(self, x, t, s, label):
        c = self.c
        (gt, gh, gw), (pt, ph, pw) = c.grid, c.patch
        cut = x.reshape(-1, c.channels, gt, pt, gh, ph, gw, pw).permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).flatten(1, 3)
        h = self.patch(cut) + self.position
        frequencies = 10000.0 ** (-torch.arange(128, device=x.device) / 128)
        wave = lambda u: torch.cat(((u[:, None] * frequencies).cos(), (u[:, None] * frequencies).sin()), -1)
        e = self.time(wave(t)) + self.gap(wave(t - s)) + self.classes(label)
        shared = self.modulation(F.silu(e)).unflatten(-1, (6, -1))
        for i, block in enumerate(self.blocks):
            if i == c.blocks - c.decoder:
                h = self.fusion(torch.cat((h, encoded), -1))
            h = block(h, shared)
            if i == c.encoder - 1:
                encoded = h
        m = (e[:, None] + self.head_table)[:, :, None]
        y = self.head(F.layer_norm(h, (c.dim,), eps=1e-6) * (1 + m[:, 1]) + m[:, 0])
        y = y.reshape(-1, gt, gh, gw, pt, ph, pw, c.channels).permute(0, 7, 1, 4, 2, 5, 3, 6).reshape(x.shape)
        return (x - y) / t.clamp_min(0.05)[:, None, None, None, None] if c.prediction == "data" else y


def step(net, forward, average, optimizer, x0, label, fm):
    """Runs one SoFlow step: FM on the first `fm` samples, SCM on the others."""
    b = x0.shape[0]
    cast = lambda u: u[:, None, None, None, None]
    x1, t = torch.randn_like(x0), torch.rand(b, device=x0.device).clamp(0.05, 0.99)
    s = t * torch.rand(b, device=x0.device)
    l = t + (s - t) * 0.1
    x_t, v = (1 - cast(t)) * x0 + cast(t) * x1, x1 - x0
    square = lambda d: d.square().flatten(1).mean(1)
    weigh = lambda mse: (mse / (mse.detach() + 0.01)).sum() / b
    loss = weigh(square(forward(x_t[:fm], t[:fm], t[:fm], label[:fm]) - v[:fm]))
    if fm < b:
        x_t, v, t, s, l, label = (u[fm:] for u in (x_t, v, t, s, l, label))
        with torch.no_grad():
            f_l = forward(x_t + cast(l - t) * v, l, s, label)
        f_t = forward(x_t, t, s, label)
        dq = (v - f_l - cast((t - s) / (t - l)) * (f_t - f_l)).detach()
        loss = loss + 0.5 * weigh(square(f_t - f_t.detach() - dq))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 0.001)


def use_flex(net, c, device):
    """Switches windowed attention to FlexAttention; returns False if the model has no window."""
    if c.attention != "glga":
        return False
    inside = lambda b, h, i, j: (i - j).abs() <= c.radius
    blocks = create_block_mask(inside, None, None, c.tokens, c.tokens, device=device)
    for block in net.blocks:
        block.attention.blocks = blocks
    return True


def twin(c, device, dtype, compiled, flex=False):
    """Returns a function that runs one step, and the number of parameters; (None, 0) if the variant does not apply."""
    torch.manual_seed(0)
    net = Dit(c, device).to(device)
    if flex and not use_flex(net, c, device):
        return None, 0
    average = copy.deepcopy(net)
    forward = torch.compile(net) if compiled else net
    if dtype == torch.bfloat16:
        inner = forward

        def forward(*inputs):
            with torch.autocast(device, dtype):
                return inner(*inputs).float()

    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0, fused=True)
    x0 = torch.rand(c.batch, c.channels, c.frames, c.height, c.width, device=device) * 2 - 1
    label = torch.randint(c.classes, (c.batch,), device=device)
    fm = round(c.batch * c.fm_share)
    run = lambda: step(net, forward, average, optimizer, x0, label, fm)
    for _ in range(3):
        run()
    return run, sum(p.numel() for p in net.parameters())


def eflow_step(a, device):
    command = [a.eflow, "bench", "step", "--json", f"--steps={a.steps}"] + a.rest
    if a.config:
        command += ["--config", a.config]
    if device == "cuda":
        command += ["--device", device]
    if a.dtype == "bf16":
        command += ["--train.precision=bf16"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def on_a_gpu(a, c, ours, device, dtype):
    """Times every variant of the twin that a PyTorch user could choose."""
    result = {"torch": torch.__version__, "device": peer_device.title(device), "dtype": a.dtype,
              "eflow_step_s": ours["step_s"], "torch_step_s": {}, "torch_over_eflow": {}}
    for name, compiled, flex in (("eager", False, False), ("compiled", True, False), ("compiled, flex", True, True)):
        try:
            run, parameters = twin(c, device, dtype, compiled, flex)
            times = [peer_device.seconds(run, device) for _ in range(a.steps)] if run else []
        except Exception as error:  # this PyTorch version cannot run the variant
            result["torch_step_s"][name] = {"failed": str(error).splitlines()[0][:200]}
            continue
        if times:
            result["torch_step_s"][name] = statistics.median(times)
            result["torch_over_eflow"][name] = statistics.median(times) / ours["step_s"]
            result["parameters"] = {"eflow": ours["parameters"], "torch": parameters}
    return result


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--eflow", required=True)
    a.add_argument("--config", default="")
    a.add_argument("--steps", type=int, default=10)
    a.add_argument("--rounds", type=int, default=3,
                   help="on the CPU the two take turns this often; the ratio is the median of the rounds' ratios")
    a.add_argument("--compile", action="store_true", help="use torch.compile on the CPU; on a GPU both variants are timed")
    a.add_argument("rest", nargs="*", help="further arguments for `eflow bench step`, after --")
    peer_device.add_arguments(a, "f32")
    parser, a = a, a.parse_args()
    device, dtype = peer_device.use(parser, a)
    ours = eflow_step(a, device)
    c = argparse.Namespace(**ours["model"])
    if c.attention not in ("glga", "softmax"):
        parser.error(f"the twin has no {c.attention} attention; it has glga and softmax")
    if device == "cuda":
        return print(json.dumps(on_a_gpu(a, c, ours, device, dtype)))
    torch.set_num_threads(ours["threads"])
    run, parameters = twin(c, device, dtype, a.compile)
    rounds = []
    for _ in range(a.rounds):
        theirs = statistics.median(peer_device.seconds(run, device) for _ in range(a.steps))
        rounds.append((eflow_step(a, device)["step_s"], theirs))
    print(json.dumps({"eflow_step_s": [o for o, _ in rounds], "torch_step_s": [t for _, t in rounds],
                      "torch_over_eflow": statistics.median(t / o for o, t in rounds),
                      "torch": torch.__version__, "compiled": a.compile, "dtype": a.dtype, "threads": ours["threads"],
                      "tokens": c.tokens, "batch": c.batch, "parameters": {"eflow": ours["parameters"], "torch": parameters}}))


if __name__ == "__main__":
    main()
