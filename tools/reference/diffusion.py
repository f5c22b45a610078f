"""Golden values of diffusers for packages/diffusion: tiny models with random weights, their inputs, outputs and gradients.

Run from the repository's root: python3 tools/reference/diffusion.py
"""

import json
import pathlib

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from golden import nhwc, randomize
from safetensors.torch import save_file

root = pathlib.Path("packages/diffusion/fixtures")
torch.manual_seed(0)


def unet(name, **config):
    model = randomize(UNet2DConditionModel(sample_size=8, norm_num_groups=4, layers_per_block=1, **config))
    model.save_pretrained(root / name, safe_serialization=True)
    sample = torch.randn(3, 4, 8, 8, requires_grad=True)
    timesteps = torch.tensor([3, 500, 999])
    states = torch.randn(3, 5, config["cross_attention_dim"], requires_grad=True)
    output = model(sample, timesteps, states).sample
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
            "conv_in_gradient": model.conv_in.weight.grad,
            "value_gradient": model.mid_block.attentions[0].transformer_blocks[0].attn2.to_v.weight.grad,
            "norm_gradient": model.up_blocks[0].resnets[0].norm1.weight.grad,
        },
        root / name / "golden.safetensors",
    )


unet(
    "unet-sd1",
    block_out_channels=(8, 16),
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    cross_attention_dim=12,
    attention_head_dim=2,
)
unet(
    "unet-sd2",
    block_out_channels=(8, 16),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    cross_attention_dim=12,
    attention_head_dim=(1, 4),
    use_linear_projection=True,
)

vae = randomize(
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(4, 8, 8),
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=16,
    )
)
vae.save_pretrained(root / "vae", safe_serialization=True)
# In float64: float32's own rounding moves these gradients by 1e-5.
vae.double()
pixels = (torch.rand(2, 3, 16, 16) * 2 - 1).double()
posterior = vae.encode(pixels).latent_dist
latents = torch.randn(2, 4, 4, 4).double().requires_grad_()
decoded = vae.decode(latents).sample
decoded.square().sum().backward()
golden = {
    "pixels": pixels,
    "mean": posterior.mean,
    "logvar": posterior.logvar,
    "latents": latents,
    "decoded": decoded,
    "latents_gradient": latents.grad,
}
save_file({name: nhwc(value).float() for name, value in golden.items()}, root / "vae" / "golden.safetensors")

schedulers = []
for prediction_type in ("epsilon", "v_prediction", "sample"):
    for beta_schedule in ("scaled_linear", "linear", "squaredcos_cap_v2"):
        config = dict(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule=beta_schedule,
            prediction_type=prediction_type,
            steps_offset=1,
            set_alpha_to_one=False,
            clip_sample=False,
        )
        ddim = DDIMScheduler(**config)
        ddim.set_timesteps(10)
        ddpm = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule=beta_schedule)
        x0, noise = torch.randn(2, 1, 2, 3), torch.randn(2, 1, 2, 3)
        t = torch.tensor([10, 900])
        step = int(ddim.timesteps[4])
        schedulers.append(
            {
                "config": config,
                "timesteps": ddim.timesteps.tolist(),
                "alphas_cumprod": [float(ddpm.alphas_cumprod[i]) for i in (0, 1, 500, 999)],
                "x0": x0.flatten().tolist(),
                "noise": noise.flatten().tolist(),
                "t": t.tolist(),
                "noisy": ddpm.add_noise(x0, noise, t).flatten().tolist(),
                "velocity": ddpm.get_velocity(x0, noise, t).flatten().tolist(),
                "step": step,
                "stepped": ddim.step(noise, step, x0).prev_sample.flatten().tolist(),
            }
        )
(root / "schedulers.json").write_text(json.dumps(schedulers, indent=1))
