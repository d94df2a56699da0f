#!/usr/bin/env python3
"""Reads the output of peer_torch.py and peer_torch_glga.py from standard input, one JSON object per line, and prints it as a
Markdown table."""
import json, sys


def milliseconds(seconds):
    return f"{1e3 * seconds:.3f} ms" if isinstance(seconds, float) else seconds["failed"]


def rows_of_attention(r):
    name = f"GLGA, {r['tokens']} tokens, window {r['window']}, {r['heads']} x {r['head']}, {r['dtype']}"
    peers = {k: v for k, v in r.items() if isinstance(v, dict) and ("forward" in v or "failed" in v)
             and k not in ("eflow", "torch_over_eflow")}
    own = {"forward": r["eflow"]["forward"], "forward_and_backward": sum(r["eflow"].values())}
    for what, seconds in own.items():
        for peer, v in peers.items():
            theirs = v.get(what, v)
            ratio = f"{theirs / seconds:.2f}" if isinstance(theirs, float) else "-"
            yield name + ", " + what.replace("_", " "), milliseconds(seconds), peer, milliseconds(theirs), ratio


def rows_of_step(r):
    for peer, theirs in r["torch_step_s"].items():
        ratio = r["torch_over_eflow"].get(peer)
        yield (f"training step, {r['dtype']}", milliseconds(r["eflow_step_s"]), peer, milliseconds(theirs),
               f"{ratio:.2f}" if ratio else "-")


def main():
    print("| case | eflow | PyTorch variant | PyTorch time | PyTorch / eflow |\n| --- | --- | --- | --- | --- |")
    for line in sys.stdin:
        r = json.loads(line)
        for row in rows_of_attention(r) if "tokens" in r else rows_of_step(r):
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
