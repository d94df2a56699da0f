#!/usr/bin/env python3
"""Encodes videos with a Wan VAE (a folder of diffusers) into items that `eflow data import` packs.

    encode_videos.py VIDEOS --vae Wan2.1-T2V-1.3B-Diffusers/vae --out items --size 832x480 --frames 81 --fps 16
    eflow data import items --out data/set --text text.safetensors

VIDEOS is a folder with videos and, next to them, NAME.txt or NAME.json with captions, or a .npy array [N, T, H, W, 3] of u8.
Latents are stored in the VAE's own units; the VAE's mean and std go into OUT/latent_space.json for --latent-space, unless
they are Wan 2.1's. A video whose items are all there is not encoded again. Needs torch, diffusers, and av for videos.
"""
import argparse
import json
import pathlib
import sys

import numpy as np

from items import write_item
from wan_vae import WanVae

VIDEOS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ogv", ".gif"}
# Of Wan 2.1's VAE, which eflow knows by name.
WAN_MEAN = [-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921]


def fit(image, width, height):
    """Scales a picture of Pillow to cover width x height and crops it at the centre."""
    from PIL import Image
    factor = max(width / image.width, height / image.height)
    image = image.resize((max(width, round(image.width * factor)), max(height, round(image.height * factor))), Image.Resampling.BICUBIC)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.asarray(image.crop((left, top, left + width, top + height)))


def frames_of(path, size, fps):
    """Yields RGB frames, of `size` if given, at `fps` if not 0."""
    import av
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        tick, first, shown = 0, None, None
        for frame in container.decode(stream):
            image = frame.to_image()
            pixels = fit(image, *size) if size else np.asarray(image)
            if not fps:
                yield pixels
                continue
            seconds = frame.time or 0
            first = seconds if first is None else first
            # Each frame stands for the times up to half way to the next: give out the ticks before this one first.
            while shown is not None and first + tick / fps < (shown[0] + seconds) / 2:
                tick += 1
                yield shown[1]
            shown = (seconds, pixels)
        rate = float(stream.average_rate or fps or 1)
        while shown is not None and first + tick / fps < shown[0] + 1 / rate - 1e-9:
            tick += 1
            yield shown[1]


def clips_of(frames, length, most):
    """Cuts frames into clips of `length`."""
    clip, count = [], 0
    for frame in frames:
        clip.append(frame)
        if len(clip) == length:
            yield np.stack(clip)
            clip, count = [], count + 1
            if most and count == most:
                return


def captions_of(path):
    text, data = path.with_suffix(".txt"), path.with_suffix(".json")
    if text.is_file():
        return [line.strip() for line in text.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if data.is_file():
        said = json.loads(data.read_text(encoding="utf-8-sig"))
        found = said.get("captions") or [said[k] for k in ("caption", "text", "prompt") if k in said][:1]
        return [str(c) for c in found]
    return []


def sources_of(path, args, length):
    """Yields (name, captions, clips, fps) of each video."""
    if path.suffix == ".npy":
        for i, clip in enumerate(np.load(path, mmap_mode="r")):
            yield f"{path.stem}-{i:06d}", [], clips_of(iter(clip), length, args.clips_per_video), args.fps or None
        return
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEOS)
    if not files:
        raise SystemExit(f"{path} holds no videos")
    for file in files:
        yield str(file.relative_to(path).with_suffix("")), captions_of(file), clips_of(frames_of(file, args.size, args.fps), length, args.clips_per_video), args.fps or None


def size_of(text):
    width, _, height = text.partition("x")
    return int(width), int(height)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=pathlib.Path)
    parser.add_argument("--vae", required=True, help="folder of an AutoencoderKLWan of diffusers")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the items")
    parser.add_argument("--size", type=size_of, metavar="WIDTHxHEIGHT", help="scale and crop to it; default: as the videos are")
    parser.add_argument("--frames", type=int, default=81, help="of a clip; the VAE may need a few less")
    parser.add_argument("--fps", type=float, default=0, help="resample to it; default: every frame")
    parser.add_argument("--clips-per-video", type=int, default=0, help="at most; default: all")
    parser.add_argument("--space", default="", help="name of the latent space; default: wan2.1 if the VAE has its statistics, else the folder's name")
    parser.add_argument("--dtype", choices=("f32", "bf16"), default="f32", help="of the written latents")
    parser.add_argument("--compute", choices=("f32", "bf16", "f16"), default="f32")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()

    vae = WanVae(args.vae, args.device, args.compute)
    length = vae.fit_frames(args.frames)
    if length != args.frames:
        print(f"clips of {length} frames: the VAE cannot encode {args.frames} without a rest", file=sys.stderr)
    if args.size and any(side % vae.spatial for side in args.size):
        raise SystemExit(f"--size: both sides must be multiples of {vae.spatial}")
    is_wan = np.allclose(vae.mean.ravel(), WAN_MEAN) if vae.mean.size == len(WAN_MEAN) else False
    space = args.space or ("wan2.1" if is_wan else pathlib.Path(args.vae).resolve().name)
    args.out.mkdir(parents=True, exist_ok=True)
    if not is_wan:
        statistics = {"name": space, "mean": vae.mean.ravel().tolist(), "std": vae.std.ravel().tolist()}
        (args.out / "latent_space.json").write_text(json.dumps(statistics, indent=1) + "\n")
    items, skipped = 0, 0
    for name, captions, clips, fps in sources_of(args.videos, args, length):
        found = 0
        done = args.out / f"{name}.done"
        if done.is_file():
            items += int(done.read_text())
            continue
        try:
            for clip in clips:
                if any(side % vae.spatial for side in clip.shape[1:3]):
                    raise ValueError(f"frames of {clip.shape[2]} x {clip.shape[1]} pixels; both must be multiples of {vae.spatial}: pass --size")
                latents = vae.encode(clip)
                write_item(args.out / f"{name}-{found:04d}.safetensors", latents, args.dtype, captions=captions, latent_space=space,
                           normalised=False, fps=fps, width=clip.shape[2], height=clip.shape[1], frames=len(clip))
                found += 1
            if found == 0:
                raise ValueError(f"shorter than {length} frames")
            done.parent.mkdir(parents=True, exist_ok=True)
            done.write_text(str(found))
        except (ValueError, OSError, IndexError) as error:  # av's errors are OSErrors and ValueErrors
            skipped += 1
            print(f"skipped {name}: {error}", file=sys.stderr)
        items += found
    if items == 0:
        raise SystemExit("no video can be used")
    print(f"{args.out}: {items} items, {skipped} videos skipped")


if __name__ == "__main__":
    main()
