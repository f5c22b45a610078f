"""Time and memory of a DCR step at the true shapes in PyTorch: the twin of benchmarks/src/full-size-step.ts.

CLIP ViT-L/14 at 224 pixels (transformers) with LoRA (peft), VAE encoder and UNet of Stable Diffusion 2.1-base (diffusers) on 28 x 28 latents, random weights
in float32. The plain way: both views of all images in one pass, all N^2 + N predictions in one call of the UNet, one backward pass.

Run: python tools/reference/full_size_step.py --batch-size 2 [--small] [--json benchmarks/results/<file>.json]
"""

import argparse
import json
import resource
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cosine_similarity
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

TEMPERATURE = 0.1


def make_models(small):
    torch.manual_seed(0)
    clip = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=1024, intermediate_size=4096, num_hidden_layers=2 if small else 24, num_attention_heads=16,
            image_size=224, patch_size=14, projection_dim=768,
        )
    )
    shapes = (
        dict(
            attention_head_dim=(5, 10), block_out_channels=(320, 640), layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )
        if small
        else dict(attention_head_dim=(5, 10, 20, 20))
    )
    unet = UNet2DConditionModel(cross_attention_dim=1024, use_linear_projection=True, **shapes).requires_grad_(False)
    vae = AutoencoderKL(
        block_out_channels=(32,) * 4 if small else (128, 256, 512, 512), layers_per_block=1 if small else 2,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    ).requires_grad_(False)
    vae.decoder = None
    projector = torch.nn.Sequential(
        torch.nn.LayerNorm(768), torch.nn.Linear(768, 1024), torch.nn.GELU(), torch.nn.Linear(1024, 1024)
    ).requires_grad_(False)
    config = LoraConfig(
        r=16, lora_alpha=16, lora_dropout=0.1, bias="lora_only",
        target_modules=["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
    )
    return get_peft_model(clip, config).train(), unet, vae, projector


def dcr_loss(predictions, augmented, target):
    n = len(target)
    losses = []
    for i in range(n):
        negatives = [predictions[i, k] for k in range(n) if k != i]
        candidates = torch.stack([augmented[i], target[i], *negatives]).flatten(1)
        scores = cosine_similarity(predictions[i, i].flatten()[None], candidates) / TEMPERATURE
        losses.append(torch.logsumexp(scores, 0) - scores[:2].mean())
    return torch.stack(losses).mean()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    n = options.batch_size
    encoder, unet, vae, projector = make_models(options.small)
    trained = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, weight_decay=0.01)
    scheduler = DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    images, views = torch.rand(n, 3, 224, 224), torch.rand(n, 3, 224, 224)
    prompt = torch.randn(1, 77, 1024)
    with_weights = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    started, cpu = time.perf_counter(), time.process_time()
    with torch.no_grad():
        latents = vae.encode(2 * images - 1).latent_dist.sample() * vae.config.scaling_factor
    timesteps = torch.randint(0, 1000, (n,))
    noise = torch.randn_like(latents)
    noisy = scheduler.add_noise(latents, noise, timesteps)
    features = encoder(pixel_values=torch.cat([images, views]) * 4 - 2).image_embeds
    conditions, augmented = projector(features).split(n)
    # Image i under the condition of image k, then image i under its own view's.
    image = torch.cat([torch.arange(n).repeat_interleave(n), torch.arange(n)])
    condition = torch.cat([conditions.repeat(n, 1), augmented])
    predictions = unet(
        noisy[image], timesteps[image], encoder_hidden_states=prompt + condition[:, None]
    ).sample
    pairs = predictions[: n * n].unflatten(0, (n, n))
    loss = dcr_loss(pairs, predictions[n * n :], noise)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    row = {
        "batchSize": n,
        "shapes": "small" if options.small else "full",
        "seconds": time.perf_counter() - started,
        "cpuSeconds": time.process_time() - cpu,
        "loss": loss.item(),
        "weightsResidentBytes": with_weights,
        "peakResidentBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "trained": sum(parameter.numel() for parameter in trained),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(row))
    if options.json:
        file = json.loads(options.json.read_text()) if options.json.exists() else {}
        rows = [other for other in file.get("pytorch", []) if other["batchSize"] != n]
        file["pytorch"] = sorted([*rows, row], key=lambda each: each["batchSize"])
        options.json.write_text(json.dumps(file, indent=2) + "\n")


if __name__ == "__main__":
    main()
