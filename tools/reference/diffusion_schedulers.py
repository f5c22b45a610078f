"""Golden values of diffusers' schedulers for their settings: noise schedules, spacings of timesteps, limits of the predicted image.

Run from the repository's root: python3 tools/reference/diffusion_schedulers.py
"""

import json
import pathlib

import diffusers
import torch
from diffusers import DDIMScheduler, DDPMScheduler

torch.manual_seed(9)
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
SETTINGS = {
    "leading": dict(SD, steps_offset=1, set_alpha_to_one=False),
    "trailing": dict(SD, timestep_spacing="trailing", set_alpha_to_one=False),
    "linspace": dict(SD, timestep_spacing="linspace"),
    "zero_snr": dict(SD, timestep_spacing="trailing", rescale_betas_zero_snr=True, prediction_type="v_prediction"),
    "zero_snr_sample": dict(rescale_betas_zero_snr=True, prediction_type="sample", timestep_spacing="trailing"),
    "trained_betas": dict(trained_betas=[0.01 * (i + 1) for i in range(40)], num_train_timesteps=40, clip_sample=False),
    "clip_sample": dict(SD, clip_sample=True, clip_sample_range=0.5),
    "thresholding": dict(SD, thresholding=True, sample_max_value=1.5, dynamic_thresholding_ratio=0.8),
    "thresholding_v": dict(SD, thresholding=True, sample_max_value=100.0, prediction_type="v_prediction"),
    "cosine": dict(beta_schedule="squaredcos_cap_v2", num_train_timesteps=50, timestep_spacing="linspace"),
}


def flat(x):
    return x.flatten().tolist()


goldens = {}
for name, config in SETTINGS.items():
    ddim = DDIMScheduler(**config)
    ddpm = DDPMScheduler(**{key: value for key, value in config.items() if key != "set_alpha_to_one"})
    count = ddim.config.num_train_timesteps
    timesteps = {}
    for steps in (1, 7, 10, 30):
        ddim.set_timesteps(steps)
        timesteps[steps] = ddim.timesteps.tolist()
    # NHWC and NCHW agree in one channel.
    prediction, sample = torch.randn(2, 1, 2, 3) * 2, torch.randn(2, 1, 2, 3)
    ddim.set_timesteps(10)
    steps = [{"t": int(t), "stepped": flat(ddim.step(prediction, int(t), sample).prev_sample)} for t in (ddim.timesteps[0], ddim.timesteps[4], ddim.timesteps[-1])]
    t = torch.tensor([count - 1, count // 3])
    goldens[name] = {
        "config": config,
        "alphas_cumprod": {i: float(ddpm.alphas_cumprod[i]) for i in (0, 1, count // 2, count - 2, count - 1)},
        "timesteps": timesteps,
        "prediction": flat(prediction),
        "sample": flat(sample),
        "steps": steps,
        "t": t.tolist(),
        "noisy": flat(ddpm.add_noise(sample, prediction, t)),
        "velocity": flat(ddpm.get_velocity(sample, prediction, t)),
    }

# The noise schedule of each sampler of DDPM's, by its class's own defaults.
classes = {}
for name in (
    "DDPMScheduler", "DDIMScheduler", "DDIMInverseScheduler", "DDIMParallelScheduler", "DDPMParallelScheduler", "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler",
    "HeunDiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler", "LCMScheduler", "LMSDiscreteScheduler",
    "PNDMScheduler", "TCDScheduler", "UniPCMultistepScheduler",
):  # fmt: skip
    scheduler = getattr(diffusers, name)()
    classes[name] = [float(scheduler.alphas_cumprod[i]) for i in (0, 500, 999)]

path = pathlib.Path("packages/diffusion/fixtures/scheduler-settings.json")
path.write_text(json.dumps({"settings": goldens, "classes": classes}, indent=1) + "\n")
