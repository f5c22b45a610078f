"""Whole pipelines that diffusers wrote, tiny and with random weights: Stable Diffusion (as 1.x) and Stable Diffusion XL, with the
text conditions that diffusers encodes for two prompts, one prediction of the denoiser, and predictions of the trainer's denoiser: the
empty prompt's condition with a vector added to each token, with the gradient at these vectors.

Run from the repository's root: python3 tools/reference/diffusion_pipelines.py
"""

import pathlib
import shutil

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from golden import nhwc, randomize

fixtures = pathlib.Path("packages/diffusion/fixtures")
torch.manual_seed(11)
PROMPTS = ["a photo of a cat", ""]
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)


def tokenizer():
    return CLIPTokenizer.from_pretrained("packages/encoders/fixtures/clip-tokenizer", model_max_length=12)


def text_config(hidden_size, **more):
    vocabulary = tokenizer().get_vocab()
    return CLIPTextConfig(
        vocab_size=max(vocabulary.values()) + 1,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=12,
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
        **more,
    )


def vae(**more):
    return AutoencoderKL(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=2,
        sample_size=16,
        **more,
    )


def unet(**more):
    return UNet2DConditionModel(block_out_channels=(4, 8), layers_per_block=1, norm_num_groups=2, sample_size=8, **more)


def save(name, pipeline, golden):
    folder = fixtures / name
    shutil.rmtree(folder, ignore_errors=True)
    pipeline.save_pretrained(folder, safe_serialization=True)
    save_file({key: value.detach().contiguous() for key, value in golden.items()}, folder / "golden.safetensors")


sample, timesteps = torch.randn(2, 4, 8, 8), torch.tensor([10, 900])
ROWS = [1, 0, 1]


def trainer(unet, empty, **more):
    """Predictions of images ROWS under e = u + h, and the gradient of their weighted sum at h."""
    generator = torch.Generator().manual_seed(5)
    conditions = torch.randn(len(ROWS), empty.shape[-1], generator=generator, requires_grad=True)
    states = empty + conditions[:, None]
    predictions = unet(sample[ROWS], timesteps[ROWS], states, **more).sample
    weights = torch.randn(predictions.shape, generator=generator)
    (gradient,) = torch.autograd.grad((predictions * weights).sum(), conditions)
    return {
        "conditions": conditions,
        "weights": nhwc(weights),
        "predictions": nhwc(predictions),
        "gradient": gradient,
    }


sd = StableDiffusionPipeline(
    vae=randomize(vae()),
    text_encoder=randomize(CLIPTextModel(text_config(8))),
    tokenizer=tokenizer(),
    unet=randomize(
        unet(
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=8,
            attention_head_dim=2,
        )
    ),
    scheduler=PNDMScheduler(skip_prk_steps=True, **SD),
    safety_checker=None,
    feature_extractor=None,
    requires_safety_checker=False,
)
states, _ = sd.encode_prompt(PROMPTS, "cpu", 1, False)
save(
    "stable-diffusion",
    sd,
    {
        "encoder_hidden_states": states,
        "sample": nhwc(sample),
        "timesteps": timesteps.int(),
        "output": nhwc(sd.unet(sample, timesteps, states).sample),
        **trainer(sd.unet, states[1:]),
    },
)

ids = torch.tensor([[16, 16, 0, 0, 16, 16]] * 2)
xl = StableDiffusionXLPipeline(
    vae=randomize(vae(scaling_factor=0.13025)),
    text_encoder=randomize(CLIPTextModel(text_config(4))),
    text_encoder_2=randomize(CLIPTextModelWithProjection(text_config(8, projection_dim=6, hidden_act="gelu"))),
    tokenizer=tokenizer(),
    tokenizer_2=tokenizer(),
    unet=randomize(
        unet(
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=12,
            attention_head_dim=(2, 4),
            transformer_layers_per_block=(1, 2),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=6 + 6 * 4,
        )
    ),
    scheduler=EulerDiscreteScheduler(timestep_spacing="leading", **SD),
)
states, _, pooled, _ = xl.encode_prompt(PROMPTS, device="cpu", do_classifier_free_guidance=False)
# As the pipeline makes them for an image of 16 x 16 where nothing else is said.
default_ids = xl._get_add_time_ids((16, 16), (0, 0), (16, 16), dtype=torch.float32, text_encoder_projection_dim=6)
output = xl.unet(sample, timesteps, states, added_cond_kwargs={"text_embeds": pooled, "time_ids": ids}).sample
save(
    "stable-diffusion-xl",
    xl,
    {
        "encoder_hidden_states": states,
        "text_embeds": pooled,
        "time_ids": ids.int(),
        "sample": nhwc(sample),
        "timesteps": timesteps.int(),
        "output": nhwc(output),
        **trainer(
            xl.unet,
            states[1:],
            added_cond_kwargs={"text_embeds": pooled[1:].expand(len(ROWS), -1), "time_ids": default_ids.expand(len(ROWS), -1)},
        ),
    },
)
