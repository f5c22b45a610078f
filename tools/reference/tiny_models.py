"""Tiny models of the real form, made by transformers and diffusers, for the tests of the command.

Writes packages/cli/fixtures/models: clip/ (CLIPModel with image processor and tokenizer), siglip/ (SiglipModel with both),
stable-diffusion/ (a whole diffusers folder with the settings of Stable Diffusion 2.1-base) and stable-diffusion-xl/ (as Stable
Diffusion XL, of which there are models that predict the velocity, as this one does), all with random weights. The vocabularies are
those of packages/encoders/fixtures.

Run: python tools/reference/tiny_models.py
"""

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = ROOT / "packages/encoders/fixtures/clip-tokenizer"
SIGLIP_VOCABULARY = ROOT / "packages/encoders/fixtures/siglip-tokenizer"
FIXTURES = ROOT / "packages/cli/fixtures/models"

torch.manual_seed(0)
shutil.rmtree(FIXTURES, ignore_errors=True)

tokenizer = CLIPTokenizer.from_pretrained(VOCABULARY, model_max_length=77, pad_token="!")
text = CLIPTextConfig(
    vocab_size=len(tokenizer),
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=77,
    projection_dim=24,
    hidden_act="gelu",
    bos_token_id=tokenizer.bos_token_id,
    eos_token_id=tokenizer.eos_token_id,
    pad_token_id=tokenizer.pad_token_id,
)
vision = CLIPVisionConfig(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    image_size=32,
    patch_size=8,
    projection_dim=24,
    hidden_act="quick_gelu",
)
clip = CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=24)).eval()
# Random features of different images are nearly parallel as transformers starts them; larger weights spread them.
with torch.no_grad():
    for name, weight in clip.vision_model.named_parameters():
        if weight.ndim >= 2:
            weight.mul_(3)
size = {"shortest_edge": 32}
processor = CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32})
clip.save_pretrained(FIXTURES / "clip")
CLIPProcessor(image_processor=processor, tokenizer=tokenizer).save_pretrained(FIXTURES / "clip")
# The files that published CLIP folders have.
processor.save_pretrained(FIXTURES / "clip")
tokenizer.save_pretrained(FIXTURES / "clip")
for name in ("vocab.json", "merges.txt"):
    shutil.copy(VOCABULARY / name, FIXTURES / "clip" / name)

unet = UNet2DConditionModel(
    sample_size=4,
    block_out_channels=(8, 16),
    layers_per_block=1,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    cross_attention_dim=32,
    attention_head_dim=[2, 4],
    norm_num_groups=4,
    use_linear_projection=True,
)
vae = AutoencoderKL(
    block_out_channels=(8, 8, 16, 16),
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    layers_per_block=1,
    latent_channels=4,
    norm_num_groups=4,
    sample_size=32,
)
scheduler = PNDMScheduler(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    num_train_timesteps=1000,
    skip_prk_steps=True,
    steps_offset=1,
    prediction_type="epsilon",
)
pipeline = StableDiffusionPipeline(
    unet=unet,
    vae=vae,
    text_encoder=CLIPTextModel(text),
    tokenizer=tokenizer,
    scheduler=scheduler,
    safety_checker=None,
    feature_extractor=None,
    requires_safety_checker=False,
)
pipeline.save_pretrained(FIXTURES / "stable-diffusion")
for name in ("vocab.json", "merges.txt"):
    shutil.copy(VOCABULARY / name, FIXTURES / "stable-diffusion/tokenizer" / name)

siglip = SiglipModel(
    SiglipConfig(
        text_config=dict(
            vocab_size=len(json.loads((SIGLIP_VOCABULARY / "tokenizer.json").read_text())["model"]["vocab"]),
            hidden_size=24,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=16,
            projection_size=32,
        ),
        vision_config=dict(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
        ),
    )
).eval()
with torch.no_grad():
    siglip.logit_scale.fill_(4.7)
    siglip.logit_bias.fill_(-12.9)
    for name, weight in siglip.vision_model.named_parameters():
        if weight.ndim >= 2:
            weight.mul_(3)
siglip.save_pretrained(FIXTURES / "siglip")
SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(FIXTURES / "siglip")
for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
    shutil.copy(SIGLIP_VOCABULARY / name, FIXTURES / "siglip" / name)

first, second = (
    {**text.to_dict(), "hidden_size": width, "intermediate_size": 2 * width, "hidden_act": act}
    for width, act in ((8, "quick_gelu"), (16, "gelu"))
)
xl = StableDiffusionXLPipeline(
    unet=UNet2DConditionModel(
        sample_size=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=24,
        attention_head_dim=[2, 4],
        transformer_layers_per_block=[1, 1],
        norm_num_groups=4,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=24 + 6 * 4,
    ),
    vae=AutoencoderKL(**{**vae.config, "scaling_factor": 0.13025}),
    text_encoder=CLIPTextModel(CLIPTextConfig(**first)),
    text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**second)),
    tokenizer=tokenizer,
    tokenizer_2=tokenizer,
    scheduler=EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
        prediction_type="v_prediction",
    ),
)
xl.save_pretrained(FIXTURES / "stable-diffusion-xl")

total = sum(path.stat().st_size for path in FIXTURES.rglob("*") if path.is_file())
print(json.dumps({"bytes": total}))
