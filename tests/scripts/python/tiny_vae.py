"""A Wan VAE with random weights, small enough for a test, in the layout of diffusers: tiny_vae.py FOLDER"""
import sys


def write_tiny_vae(folder):
    import torch
    from diffusers import AutoencoderKLWan
    torch.manual_seed(1)
    model = AutoencoderKLWan(base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, attn_scales=[], temperal_downsample=[False, True, True],
                             latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.5, 0.5, 2.0, 1.0])
    model.eval().save_pretrained(folder)
    return model


if __name__ == "__main__":
    write_tiny_vae(sys.argv[1])
