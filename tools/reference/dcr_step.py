"""A golden step of stage 2 on 28 x 28 latents: losses and gradients at the LoRA parameters, from PyTorch in float64.

A tiny CLIP model (transformers), a tiny UNet of four levels whose latents are halved to 28, 14, 7 and 4 (diffusers), LoRA on the image
tower (peft) and the projector. Each prediction is a call of its own and all graphs are held at once: no saving of any kind.

Writes packages/dcr/fixtures/step: clip/, unet/ (folders of transformers and diffusers) and golden.safetensors with the adapters, the projector,
the empty prompt's hidden state, noisy latents, target and timesteps, and for each objective its losses and the gradients. Images are a formula,
the same in the test.

Run: python tools/reference/dcr_step.py
"""

from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch.nn.functional import cosine_similarity, gelu, layer_norm, linear
from transformers import CLIPConfig, CLIPModel

FOLDER = Path(__file__).resolve().parents[2] / "packages/dcr/fixtures/step"
N, SIZE, WIDTH, CONTEXT = 3, 224, 12, 10
TEMPERATURE = 0.1
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073], dtype=torch.float64).view(1, 3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711], dtype=torch.float64).view(1, 3, 1, 1)


def images(phase):
    """`[N, 3, SIZE, SIZE]`, values in [0.1, 0.9]."""
    index = torch.arange(N, dtype=torch.float64).view(N, 1, 1, 1)
    channel = torch.arange(3, dtype=torch.float64).view(1, 3, 1, 1)
    y = torch.arange(SIZE, dtype=torch.float64).view(1, 1, SIZE, 1)
    x = torch.arange(SIZE, dtype=torch.float64).view(1, 1, 1, SIZE)
    return 0.5 + 0.4 * torch.sin(0.05 * (index + 1) * x + 0.07 * y + channel + phase)


def make_models():
    torch.manual_seed(31)
    tower = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    clip = CLIPModel(
        CLIPConfig(
            vision_config=dict(tower, image_size=SIZE, patch_size=32),
            text_config=dict(tower, vocab_size=20, max_position_embeddings=8, eos_token_id=19, bos_token_id=18),
            projection_dim=WIDTH,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=28,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(4, 8, 8, 8),
        layers_per_block=1,
        cross_attention_dim=CONTEXT,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    generator = torch.Generator().manual_seed(32)
    with torch.no_grad():
        for parameter in unet.parameters():
            # Fresh weights let the condition hardly through; these do.
            if parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 1.4 / parameter[0].numel() ** 0.5)
        for parameter in clip.parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5)
    clip.save_pretrained(FOLDER / "clip")
    unet.save_pretrained(FOLDER / "unet")
    for name in ("clip", "unet"):
        for path in (FOLDER / name).glob("*.md"):
            path.unlink()
    return clip, unet


def dcr_losses(predictions, augmented, target):
    """Towards the augmented view's prediction, and towards the target."""
    sums = torch.zeros(2, dtype=torch.float64)
    for i in range(N):
        negatives = [predictions[i, k] for k in range(N) if k != i]
        candidates = torch.stack([augmented[i], target[i], *negatives]).flatten(1)
        scores = cosine_similarity(predictions[i, i].flatten()[None], candidates) / TEMPERATURE
        sums = sums + torch.stack([torch.logsumexp(scores, 0) - scores[p] for p in (0, 1)])
    return sums / N


def con_loss(features, augmented):
    """SupCon with each image's other view as its one positive."""
    z = torch.nn.functional.normalize(torch.cat([features, augmented]))
    scores = z @ z.T / TEMPERATURE
    scores = scores.masked_fill(torch.eye(2 * N, dtype=torch.bool), -torch.inf)
    positive = torch.arange(2 * N).roll(N)
    return torch.nn.functional.cross_entropy(scores, positive)


def main():
    clip, unet = make_models()
    generator = torch.Generator().manual_seed(33)

    def normal(*shape):
        # Float32 values, so that both sides start from the same numbers.
        return torch.randn(shape, generator=generator).double()

    config = LoraConfig(
        r=2, lora_alpha=4, lora_dropout=0.0, bias="lora_only",
        target_modules=r"vision_model\..*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)",
    )
    model = get_peft_model(clip, config)
    golden = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    model.double().eval()
    unet.double().eval().requires_grad_(False)
    trained = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            trained[name.replace(".default", "")] = parameter
            golden[f"adapters.{name.replace('.default', '')}"] = parameter.detach().clone()

    shapes = {"norm.weight": (WIDTH,), "norm.bias": (WIDTH,), "fc1.weight": (CONTEXT, WIDTH), "fc1.bias": (CONTEXT,),
              "fc2.weight": (CONTEXT, CONTEXT), "fc2.bias": (CONTEXT,)}
    projector = {name: normal(*shape) for name, shape in shapes.items()}
    golden.update({f"projector.{name}": x for name, x in projector.items()})

    def project(z):
        normed = layer_norm(z, (WIDTH,), projector["norm.weight"], projector["norm.bias"])
        hidden = gelu(linear(normed, projector["fc1.weight"], projector["fc1.bias"]))
        return linear(hidden, projector["fc2.weight"], projector["fc2.bias"])

    prompt = normal(1, 7, CONTEXT)
    timesteps = torch.tensor([30, 480, 910])
    scheduler = DDPMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, num_train_timesteps=1000,
        prediction_type="epsilon",
    )
    noise = normal(N, 4, 28, 28)
    noisy = scheduler.add_noise(normal(N, 4, 28, 28), noise, timesteps).float().double()
    golden.update(
        emptyPrompt=prompt, noisy=noisy.permute(0, 2, 3, 1), target=noise.permute(0, 2, 3, 1), timesteps=timesteps
    )

    def features(pixels):
        base = model.base_model.model
        return base.visual_projection(base.vision_model((pixels - MEAN) / STD).pooler_output)

    def predict(i, h):
        states = prompt + h.view(1, 1, CONTEXT)
        return unet(noisy[i : i + 1], timesteps[i : i + 1], encoder_hidden_states=states).sample[0]

    def objectives():
        z, views = features(images(0.0)), features(images(0.6))
        h, h_views = project(z), project(views)
        predictions = torch.stack([torch.stack([predict(i, h[k]) for k in range(N)]) for i in range(N)])
        augmented = torch.stack([predict(i, h_views[i]) for i in range(N)])
        own = torch.stack([predictions[i, i] for i in range(N)])
        to_augmented, to_target = dcr_losses(predictions, augmented, noise)
        rec, con = torch.mean((own - noise) ** 2), con_loss(z, views)
        return {
            "dcr": (0.5 * (to_augmented + to_target), {"dcrAugmented": to_augmented, "dcrTarget": to_target}),
            "naive": (con + rec, {"con": con, "rec": rec}),
        }

    for name, (loss, parts) in objectives().items():
        for parameter in trained.values():
            parameter.grad = None
        loss.backward(retain_graph=True)
        golden[f"{name}.loss"] = loss
        golden.update({f"{name}.losses.{part}": value for part, value in parts.items()})
        for path, parameter in trained.items():
            golden[f"{name}.gradient.{path}"] = parameter.grad.clone()
        norm = torch.sqrt(sum((p.grad**2).sum() for p in trained.values())).item()
        print(name, loss.item(), {part: value.item() for part, value in parts.items()}, "gradient norm", norm)
    golden = {
        name: (x if x.dtype == torch.int64 else x.detach().float()).contiguous().clone() for name, x in golden.items()
    }
    golden["timesteps"] = golden["timesteps"].int()
    save_file(golden, FOLDER / "golden.safetensors")


if __name__ == "__main__":
    main()
