"""Saves a tiny random WanTransformer3DModel of diffusers, and what it computes, to a folder.

Usage: wan_diffusers.py FOLDER. Exits with 77 if torch or diffusers cannot be imported.
"""
import pathlib
import sys

try:
    import numpy
    import torch
    from diffusers import WanTransformer3DModel
except Exception as error:
    print("skipped:", error)
    sys.exit(77)

folder = pathlib.Path(sys.argv[1])
torch.manual_seed(1)
model = WanTransformer3DModel(
    patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=24, in_channels=4, out_channels=4,
    text_dim=10, freq_dim=256, ffn_dim=56, num_layers=3, cross_attn_norm=True,
    qk_norm="rms_norm_across_heads", eps=1e-6, rope_max_seq_len=64)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(torch.randn_like(parameter) * (0.3 if parameter.ndim == 1 else parameter[0].numel() ** -0.5))
    model.eval().save_pretrained(folder)
    x = torch.randn(2, 4, 3, 4, 6)
    t = torch.tensor([700.0, 125.0])
    text = torch.randn(2, 5, 10)
    y = model(hidden_states=x, timestep=t, encoder_hidden_states=text, return_dict=False)[0]
for name, value in (("x", x), ("t", t), ("text", text), ("y", y)):
    numpy.save(folder / f"{name}.npy", value.numpy())
