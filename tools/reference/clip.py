"""Golden values of transformers' CLIPTextModel and CLIPModel, small random models, computed in float64.

Writes
  packages/encoders/fixtures/clip-text-quick-gelu/  as in Stable Diffusion 1.x: quick_gelu, the legacy eos_token_id 2
  packages/encoders/fixtures/clip-text-gelu/        as in Stable Diffusion 2.x: gelu, pooled at the first eos
  packages/encoders/fixtures/clip-quick-gelu/             as OpenAI's ViT-L/14
  packages/encoders/fixtures/clip-gelu/                   as MetaCLIP's ViT-H/14, in several shards
  packages/encoders/fixtures/clip-towers/                 clip-quick-gelu's towers, each as its own class saves it
each an ordinary folder (config.json, safetensors) and golden.safetensors: inputs (images channels-last), outputs,
and gradients of sum(output * cotangent).

Run: python tools/reference/clip.py
"""

import json
import math
import shutil
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
)

PACKAGES = Path(__file__).resolve().parents[2] / "packages"


def randomize(model, seed):
    """Weights of the size that keeps activations near one, biases and norms away from their neutral values."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        with torch.no_grad():
            if "norm" in name and name.endswith("weight"):
                parameter.copy_(1 + 0.2 * noise)
            elif parameter.dim() < 2:
                parameter.copy_(noise * 0.2 if parameter.dim() else parameter)
            elif "embedding" in name and "patch" not in name:
                parameter.copy_(noise * 0.5)
            else:
                parameter.copy_(noise * 1.4 / math.sqrt(parameter[0].numel()))


def text_settings(act, **more):
    return dict(
        vocab_size=60, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
        max_position_embeddings=12, hidden_act=act, bos_token_id=58, **more,
    )  # fmt: skip


def ids(eos_first):
    """Rows [bos, ..., eos, padding]; with eos_first the largest id comes after the first eos."""
    rows = torch.randint(0, 50, (3, 12), generator=torch.Generator().manual_seed(5))
    rows[:, 0] = 58
    for row, end in enumerate([5, 11, 1]):
        rows[row, end:] = 59 if not eos_first else 3
        rows[row, end] = 55 if eos_first else 59
    if eos_first:
        rows[0, 8] = 57
        rows[0, 9] = 55
    return rows


def save_golden(folder, tensors):
    save_file({name: t.detach().contiguous().to(torch.int32 if t.dtype == torch.int64 else torch.float32)
               for name, t in tensors.items()}, folder / "golden.safetensors")  # fmt: skip


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def nhwc(t):
    return t.permute(0, 2, 3, 1)


def text_model(name, config, input_ids, seed, legacy_names):
    folder = fresh(PACKAGES / "encoders/fixtures" / name)
    model = CLIPTextModel._from_config(config, attn_implementation="eager").eval()
    randomize(model, seed)
    model.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    print(name, sorted(weights)[:3])
    if legacy_names:
        # As transformers 4 wrote it: the prefix, and the buffer of positions.
        weights = {k if k.startswith("text_model.") else f"text_model.{k}": v for k, v in weights.items()}
        weights["text_model.embeddings.position_ids"] = torch.arange(12)[None]
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    model.double()
    output = model(input_ids)
    generator = torch.Generator().manual_seed(seed + 1)
    hidden = torch.randn(output.last_hidden_state.shape, generator=generator, dtype=torch.float64)
    pooled = torch.randn(output.pooler_output.shape, generator=generator, dtype=torch.float64)
    ((output.last_hidden_state * hidden).sum() + (output.pooler_output * pooled).sum()).backward()
    golden = dict(input_ids=input_ids, last_hidden_state=output.last_hidden_state, pooled=output.pooler_output,
                  cotangent_hidden=hidden, cotangent_pooled=pooled)  # fmt: skip
    for parameter_name, parameter in model.named_parameters():
        short = parameter_name.removeprefix("text_model.")
        golden[f"gradient.text_model.{short}"] = parameter.grad
    save_golden(folder, golden)


def clip_model(name, act, seed, shard, eos):
    folder = fresh(PACKAGES / "encoders/fixtures" / name)
    config = CLIPConfig(
        text_config=text_settings(act, eos_token_id=eos),
        vision_config=dict(
            hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            image_size=16, patch_size=4, hidden_act=act,
        ),
        projection_dim=20,
    )  # fmt: skip
    model = CLIPModel._from_config(config, attn_implementation="eager").eval()
    randomize(model, seed)
    with torch.no_grad():
        model.logit_scale.fill_(2.0 + seed / 10)
    model.save_pretrained(folder, max_shard_size="40KB" if shard else "1GB")
    CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}).save_pretrained(folder)
    model.double()
    generator = torch.Generator().manual_seed(seed + 1)
    pixels = torch.randn(3, 3, 16, 16, generator=generator, dtype=torch.float64).requires_grad_()
    input_ids = ids(False)
    vision = model.vision_model(pixels)
    image_embeds = model.visual_projection(vision.pooler_output)
    tokens = model.visual_projection(model.vision_model.post_layernorm(vision.last_hidden_state))
    text_embeds = model.text_projection(model.text_model(input_ids).pooler_output)
    output = model(input_ids=input_ids, pixel_values=pixels)
    unit = image_embeds / image_embeds.norm(dim=-1, keepdim=True)
    assert torch.allclose(output.image_embeds, unit)
    cotangent = torch.randn(image_embeds.shape, generator=generator, dtype=torch.float64)
    ((image_embeds * cotangent).sum() + (text_embeds * cotangent).sum()).backward()
    golden = dict(pixels=nhwc(pixels), input_ids=input_ids, image_embeds=image_embeds, text_embeds=text_embeds,
                  vision_last_hidden_state=vision.last_hidden_state, vision_pooled=vision.pooler_output,
                  image_tokens=tokens, logits_per_image=output.logits_per_image, cotangent=cotangent)  # fmt: skip
    golden["gradient.pixels"] = nhwc(pixels.grad)
    for parameter_name, parameter in model.named_parameters():
        if parameter.grad is not None and ("layers.0" in parameter_name or ".layers." not in parameter_name):
            golden[f"gradient.{parameter_name}"] = parameter.grad
    save_golden(folder, golden)
    if not shard:
        images = torch.rand(2, 16, 16, 3, generator=generator)
        processor = CLIPImageProcessor.from_pretrained(folder)
        normalised = processor(
            images=[i.permute(2, 0, 1) for i in images], do_rescale=False, do_resize=False, do_center_crop=False,
            return_tensors="pt",
        )["pixel_values"]  # fmt: skip
        save_file({"images": images, "normalized": nhwc(normalised).contiguous()}, folder / "processor.safetensors")
    print(name, sorted(p.name for p in folder.iterdir()))
    print(json.loads((folder / "config.json").read_text()))


def from_pixels(folder, processor, encode):
    """Features of images of odd shapes, by the folder's image processor with Pillow: pixels in, features out."""
    generator = torch.Generator().manual_seed(21)
    golden, features = {}, []
    for index, (height, width) in enumerate([(23, 37), (40, 19), (16, 16), (90, 61)]):
        # Smooth with noise, as photographs are.
        ramp = torch.linspace(0, 160, height)[:, None, None] + torch.linspace(0, 60, width)[None, :, None]
        image = (ramp + 35 * torch.rand(height, width, 3, generator=generator)).clamp(0, 255).to(torch.uint8)
        pixel_values = processor(images=Image.fromarray(image.numpy()), return_tensors="pt")["pixel_values"]
        golden[f"image{index}"] = image
        golden[f"pixels{index}"] = nhwc(pixel_values)[0].contiguous()
        features.append(encode(pixel_values.double())[0])
    golden["image_embeds"] = torch.stack(features).detach().float()
    save_file(golden, folder / "from_pixels.safetensors")


def clip_from_pixels(name):
    folder = PACKAGES / "encoders/fixtures" / name
    model = CLIPModel.from_pretrained(folder, attn_implementation="eager").eval().double()
    from_pixels(
        folder, CLIPImageProcessorPil.from_pretrained(folder),
        lambda pixels: model.visual_projection(model.vision_model(pixels).pooler_output),
    )  # fmt: skip


def towers(whole):
    """The towers of a whole model, read and written by their own classes; their features are the whole's."""
    folder = fresh(PACKAGES / "encoders/fixtures/clip-towers")
    for model_class, config_class in [
        (CLIPVisionModel, CLIPVisionConfig),
        (CLIPVisionModelWithProjection, CLIPVisionConfig),
        (CLIPTextModelWithProjection, CLIPTextConfig),
    ]:
        config = config_class.from_pretrained(PACKAGES / "encoders/fixtures" / whole, projection_dim=20)
        model = model_class.from_pretrained(PACKAGES / "encoders/fixtures" / whole, config=config)
        model.save_pretrained(folder / model_class.__name__)
        print(model_class.__name__, sorted(load_file(folder / model_class.__name__ / "model.safetensors"))[:2])


def main():
    text_model("clip-text-quick-gelu", CLIPTextConfig(**text_settings("quick_gelu", eos_token_id=2)), ids(False), 1, True)
    text_model("clip-text-gelu", CLIPTextConfig(**text_settings("gelu", eos_token_id=55)), ids(True), 2, False)
    clip_model("clip-quick-gelu", "quick_gelu", 3, False, 2)
    clip_model("clip-gelu", "gelu", 4, True, 59)
    towers("clip-quick-gelu")
    clip_from_pixels("clip-quick-gelu")


if __name__ == "__main__":
    main()
