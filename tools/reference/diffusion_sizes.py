"""Golden values of diffusers for latents and images whose sizes the levels do not divide.

Run from the repository's root: python3 tools/reference/diffusion_sizes.py
"""

import pathlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from golden import nhwc, randomize
from safetensors.torch import save_file

root = pathlib.Path("packages/diffusion/fixtures")
torch.manual_seed(6)

unet = randomize(
    UNet2DConditionModel(
        norm_num_groups=4,
        layers_per_block=1,
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=8,
        attention_head_dim=2,
    )
)
unet.save_pretrained(root / "unet-4-levels", safe_serialization=True)
for height, width in ((28, 28), (42, 42), (7, 9), (1, 2)):
    sample = torch.randn(2, 4, height, width, requires_grad=True)
    timesteps = torch.tensor([321, 7])
    states = torch.randn(2, 3, 8, requires_grad=True)
    output = unet(sample, timesteps, states).sample
    weight = torch.randn_like(output)
    (output * weight).sum().backward()
    save_file(
        {
            "sample": nhwc(sample),
            "timesteps": timesteps.to(torch.int32),
            "states": states.detach(),
            "output": nhwc(output),
            "weight": nhwc(weight),
            "sample_gradient": nhwc(sample.grad),
            "states_gradient": states.grad,
        },
        root / "unet-4-levels" / f"golden-{height}x{width}.safetensors",
    )

vae = AutoencoderKL.from_pretrained(root / "vae").eval()
for height, width in ((10, 15), (21, 13)):
    pixels = torch.rand(2, 3, height, width) * 2 - 1
    pixels.requires_grad_()
    posterior = vae.encode(pixels).latent_dist
    posterior.mean.square().sum().backward()
    latents = torch.randn(2, 4, height // 4, width // 4)
    save_file(
        {
            "pixels": nhwc(pixels),
            "pixels_gradient": nhwc(pixels.grad),
            "mean": nhwc(posterior.mean),
            "logvar": nhwc(posterior.logvar),
            "latents": nhwc(latents),
            "decoded": nhwc(vae.decode(latents).sample),
        },
        root / "vae" / f"golden-{height}x{width}.safetensors",
    )
