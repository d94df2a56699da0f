"""A Wan VAE from a folder of diffusers: encoding to latents in its own units, decoding to pixels. Reads local files only."""
import pathlib

import numpy as np


class WanVae:
    def __init__(self, folder, device="cpu", dtype="f32"):
        try:
            import torch
            from diffusers import AutoencoderKLWan
        except ImportError as error:
            raise SystemExit(f"torch or diffusers is missing ({error}); make them with scripts/python/make_venv.sh")
        self.torch, self.device = torch, device
        self.dtype = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[dtype]
        if not (pathlib.Path(folder) / "config.json").is_file():
            raise SystemExit(f"{folder} holds no config.json; expected the folder of a VAE, such as Wan2.1-T2V-1.3B-Diffusers/vae")
        self.model = AutoencoderKLWan.from_pretrained(folder, local_files_only=True, torch_dtype=self.dtype).to(device).eval()
        self.config = self.model.config
        downsampling = list(self.config.temperal_downsample)
        self.temporal = 2 ** sum(downsampling)   # pixel frames of a latent frame; the first one stands alone
        self.spatial = 2 ** len(downsampling)
        self.mean, self.std = (np.array(self.config[k], np.float32)[:, None, None, None] for k in ("latents_mean", "latents_std"))

    def fit_frames(self, frames):
        """The most frames up to `frames` that the VAE encodes without a rest: 1, 5, 9, ... for Wan 2.1."""
        return (frames - 1) // self.temporal * self.temporal + 1

    def encode(self, rgb):
        """u8 [T, H, W, 3] to f32 [C, T', H', W']: the mode, not normalised."""
        torch = self.torch
        pixels = torch.from_numpy(np.ascontiguousarray(rgb)).permute(3, 0, 1, 2)[None].to(self.device).to(torch.float32) / 127.5 - 1
        with torch.inference_mode():
            return self.model.encode(pixels.to(self.dtype)).latent_dist.mode()[0].float().cpu().numpy()

    def decode(self, latents):
        """f32 [C, T', H', W'], not normalised, to u8 [T, H, W, 3]."""
        torch = self.torch
        with torch.inference_mode():
            pixels = self.model.decode(torch.from_numpy(np.ascontiguousarray(latents))[None].to(self.device).to(self.dtype)).sample[0].float().cpu().numpy()
        return ((np.clip(pixels, -1, 1) + 1) * 127.5).round().astype(np.uint8).transpose(1, 2, 3, 0)
