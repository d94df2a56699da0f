#!/usr/bin/env python3
"""Turns FastVideo's Parquet files (text to video, Wan) into items that `eflow data import` packs.

    import_fastvideo.py PREPROCESSED --out items
    eflow data import items --out data/set --text null.safetensors

Reads every *.parquet below PREPROCESSED, sorted by path: latents as the VAE gives them (not normalised; the data set records
Wan's statistics), the rows of real tokens, the caption. Rows that have none of these, or whose bytes do not match their
shape, are skipped, each with its reason. Pickles beside the files are never opened. Needs pyarrow.
"""
import argparse
import pathlib
import sys

import numpy as np

from items import write_item

MOST_BYTES = 1 << 30


def array_of(row, name, required=True):
    """NAME_bytes as an f32 array of NAME_shape; None if the row has none. Raises ValueError."""
    data, shape = row.get(name + "_bytes"), row.get(name + "_shape")
    if not data or not shape:
        if required:
            raise ValueError(f"it has no {name}")
        return None
    if any(not isinstance(size, int) or size < 1 for size in shape) or np.prod(shape, dtype=float) * 4 > MOST_BYTES:
        raise ValueError(f"{name} has the shape {shape}")
    if len(data) != 4 * int(np.prod(shape)):
        raise ValueError(f"{name} has {len(data)} bytes, but its shape {shape} takes {4 * int(np.prod(shape))} as float32")
    return np.frombuffer(data, "<f4").reshape(shape)


def clean_context(context):
    """Only the real rows: rows of zeros at the end are padding."""
    while len(context) > 1 and not context[-1].any():
        context = context[:-1]
    return context


def convert(row, path, dtype):
    # Very old sets call the latent "latent".
    latent = array_of(row, "vae_latent" if "vae_latent_bytes" in row else "latent")
    if latent.ndim == 3:
        latent = latent[:, None]  # an image
    if latent.ndim != 4:
        raise ValueError(f"the latent has the shape {list(latent.shape)}; expected [C, T, H, W]")
    if not np.isfinite(latent).all():
        raise ValueError("the latent has values that are not finite")
    context = array_of(row, "text_embedding", required=False)
    if context is not None and context.ndim != 2:
        raise ValueError(f"the text has the shape {list(context.shape)}; expected [tokens, width]")
    # width and height are swapped in older files; num_frames counts latent frames: none is recorded.
    fps = row.get("fps") or None
    write_item(path, latent, dtype, [] if context is None else [clean_context(context)], captions=[row.get("caption") or ""], latent_space="wan2.1",
               normalised=False, fps=fps)


def rows_of(path):
    """The rows of a file, one at a time."""
    import pyarrow.parquet
    file = pyarrow.parquet.ParquetFile(path)
    wanted = {"id", "caption", "fps"} | {f"{name}_{part}" for name in ("vae_latent", "latent", "text_embedding") for part in ("bytes", "shape")}
    columns = [name for name in file.schema_arrow.names if name in wanted]
    for batch in file.iter_batches(batch_size=1, columns=columns):
        yield from batch.to_pylist()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the items")
    parser.add_argument("--dtype", choices=("f32", "bf16"), default="f32", help="of the written latents")
    args = parser.parse_args()
    try:
        import pyarrow
    except ImportError:
        raise SystemExit("pyarrow is missing; make it with scripts/python/make_venv.sh")
    files = sorted(args.folder.rglob("*.parquet"))
    if not files:
        raise SystemExit(f"{args.folder} holds no .parquet files")
    written, skipped = 0, 0
    for file in files:
        name = file.relative_to(args.folder).with_suffix("")
        try:
            for number, row in enumerate(rows_of(file)):
                try:
                    convert(row, args.out / name.parent / f"{name.name}-{number:05d}.safetensors", args.dtype)
                    written += 1
                except ValueError as error:
                    skipped += 1
                    print(f"skipped {file}, row {number} (id {row.get('id')}): {error}", file=sys.stderr)
        except (pyarrow.ArrowException, OSError) as error:
            skipped += 1
            print(f"skipped the rest of {file}: {error}", file=sys.stderr)
    if written == 0:
        raise SystemExit(f"none of the rows in {len(files)} files can be used")
    print(f"{args.out}: {written} items of {len(files)} files, {skipped} skipped")


if __name__ == "__main__":
    main()
