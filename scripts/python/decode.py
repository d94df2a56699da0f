#!/usr/bin/env python3
"""Decodes latents with a Wan VAE (a folder of diffusers) into videos.

    eflow sample --run runs/mine --prompts prompts.safetensors --out samples
    decode.py samples/samples.safetensors --vae Wan2.1-T2V-1.3B-Diffusers/vae --out videos

Latents are [N, C, T, H, W] or [C, T, H, W], in the VAE's own units, as `eflow sample` writes them (--normalised: with mean
0 and std 1), from a .safetensors or .npy file. Writes OUT/00000.mp4, ... and OUT/frames.npy, u8 [N, T, H, W, 3].
Needs torch and diffusers, and av for videos (--npy-only: not).
"""
import argparse
import pathlib

import numpy as np

import tensors
from wan_vae import WanVae


def read_latents(path, name):
    if path.suffix == ".npy":
        return np.load(path).astype(np.float32)
    arrays, types, _ = tensors.read(path)
    if not name:
        known = [k for k in ("latents", "samples", "clips") if k in arrays] or (list(arrays) if len(arrays) == 1 else [])
        if not known:
            raise SystemExit(f"{path} has the arrays {', '.join(arrays)}; name the latents: --name")
        name = known[0]
    if name not in arrays:
        raise SystemExit(f"{path} has no array {name}; it has {', '.join(arrays)}")
    return tensors.from_bf16(arrays[name]) if types[name] == "BF16" else np.asarray(arrays[name], dtype=np.float32)


def write_video(path, frames, fps):
    import av
    from fractions import Fraction
    even = frames[:, :frames.shape[1] // 2 * 2, :frames.shape[2] // 2 * 2]  # H.264 has pixels in pairs
    with av.open(str(path), "w") as container:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1000))
        stream.height, stream.width, stream.pix_fmt = even.shape[1], even.shape[2], "yuv420p"
        for frame in even:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("latents", type=pathlib.Path)
    parser.add_argument("--vae", required=True, help="folder of an AutoencoderKLWan of diffusers")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--name", default="", help="of the array in a .safetensors file; default: latents, or the only one")
    parser.add_argument("--normalised", action="store_true", help="the latents have mean 0 and std 1")
    parser.add_argument("--fps", type=float, default=16)
    parser.add_argument("--npy-only", action="store_true", help="write no videos")
    parser.add_argument("--compute", choices=("f32", "bf16", "f16"), default="f32")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()

    latents = read_latents(args.latents, args.name)
    latents = latents[None] if latents.ndim == 4 else latents
    vae = WanVae(args.vae, args.device, args.compute)
    if latents.ndim != 5 or latents.shape[1] != vae.config.z_dim:
        raise SystemExit(f"{args.latents}: latents of shape {list(latents.shape)}; expected [N, {vae.config.z_dim}, T, H, W]")
    args.out.mkdir(parents=True, exist_ok=True)
    clips = []
    for i, latent in enumerate(latents):
        clips.append(vae.decode(latent * vae.std + vae.mean if args.normalised else latent))
        if not args.npy_only:
            write_video(args.out / f"{i:05d}.mp4", clips[-1], args.fps)
    np.save(args.out / "frames.npy", np.stack(clips))
    print(f"{args.out}: {len(clips)} videos of {list(clips[0].shape)}")


if __name__ == "__main__":
    main()
