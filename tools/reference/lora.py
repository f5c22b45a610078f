"""Golden values of peft's LoRA on the CLIP model of packages/encoders/fixtures/clip-quick-gelu, and of the projector.

Writes packages/encoders/fixtures/lora/golden.safetensors: the adapters (peft's own names), features with them in place and
after merging, a merged weight, and the gradients of sum(image_embeds * cotangent); computed in float64.
Writes packages/dcr/fixtures/projector/golden.safetensors: weights, inputs, outputs and gradients of
LayerNorm -> Linear -> GELU -> Linear.

Run: python tools/reference/lora.py (needs peft)
"""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPModel

PACKAGES = Path(__file__).resolve().parents[2] / "packages"
FIXTURES = PACKAGES / "encoders/fixtures"


def save(folder, tensors):
    (FIXTURES / folder).mkdir(parents=True, exist_ok=True)
    tensors = {name: t.detach().float().contiguous().clone() for name, t in tensors.items()}
    save_file(tensors, FIXTURES / folder / "golden.safetensors")


def embeds(model, pixels):
    return model.visual_projection(model.vision_model(pixels).pooler_output)


def lora():
    generator = torch.Generator().manual_seed(11)
    clip = CLIPModel.from_pretrained(FIXTURES / "clip-quick-gelu", attn_implementation="eager").eval()
    config = LoraConfig(r=3, lora_alpha=6, lora_dropout=0.0, bias="lora_only", target_modules=["q_proj", "fc1"])
    model = get_peft_model(clip, config)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            with torch.no_grad():
                # Float32 values, so that both sides start from the same numbers.
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    golden = {f"adapters.{name}": t for name, t in get_peft_model_state_dict(model).items()}
    print(sorted(golden)[:4], [n for n, p in model.named_parameters() if p.requires_grad][:6])
    model.double()
    pixels = torch.randn(2, 3, 16, 16, generator=generator).double()
    image_embeds = embeds(model.base_model.model, pixels)
    cotangent = torch.randn(image_embeds.shape, generator=generator).double()
    (image_embeds * cotangent).sum().backward()
    golden.update(pixels=pixels.permute(0, 2, 3, 1), image_embeds=image_embeds, cotangent=cotangent)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            plain = name.replace(".default", "").replace(".base_layer", "").removeprefix("base_model.model.")
            golden[f"gradient.{plain}"] = parameter.grad
    merged = model.merge_and_unload()
    assert torch.allclose(embeds(merged, pixels), image_embeds)
    golden["merged"] = merged.vision_model.encoder.layers[1].mlp.fc1.weight
    save("lora", golden)


def projector():
    generator = torch.Generator().manual_seed(12)
    norm, fc1, fc2 = torch.nn.LayerNorm(20), torch.nn.Linear(20, 28), torch.nn.Linear(28, 28)
    modules = dict(norm=norm, fc1=fc1, fc2=fc2)
    golden = {}
    for key, module in modules.items():
        for name, parameter in module.named_parameters():
            with torch.no_grad():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
            golden[f"weights.{key}.{name}"] = parameter.detach().clone()
        module.double()
    x = torch.randn(5, 20, generator=generator).double().requires_grad_()
    y = fc2(torch.nn.functional.gelu(fc1(norm(x))))
    cotangent = torch.randn(y.shape, generator=generator).double()
    (y * cotangent).sum().backward()
    golden.update({"x": x, "y": y, "cotangent": cotangent, "gradient.x": x.grad})
    for key, module in modules.items():
        for name, parameter in module.named_parameters():
            golden[f"gradient.{key}.{name}"] = parameter.grad
    save("projector", golden)


if __name__ == "__main__":
    lora()
    projector()
