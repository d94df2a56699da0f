"""Writes clips as items: one .safetensors file each, which `eflow data import` packs.

    latents      [C, T, H, W]
    context      [tokens, width], or context.0, context.1, ... for several captions; optional
    metadata     captions (a JSON list), latent_space, normalised ("true", "false"), fps, width, height, frames: optional
"""
import json
import pathlib

import tensors


def write_item(path, latents, dtype="f32", contexts=(), context_dtype="bf16", captions=(), **about):
    """latents, contexts: f32 arrays. about: further metadata; None is left out."""
    arrays = {"latents": (tensors.NAMES[dtype], tensors.encode(latents, dtype))}
    for i, context in enumerate(contexts):
        name = "context" if len(contexts) == 1 else f"context.{i}"
        arrays[name] = (tensors.NAMES[context_dtype], tensors.encode(context, context_dtype))
    metadata = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in about.items() if value is not None}
    if captions:
        metadata["captions"] = json.dumps(list(captions))
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors.write(path, arrays, metadata)
