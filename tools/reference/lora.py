"""Golden values of peft's LoRA on the CLIP model of packages/encoders/fixtures/clip-quick-gelu, and of the projector.

Writes packages/encoders/fixtures/lora/golden.safetensors: the adapters (peft's own names), features with them in place and
after merging, a merged weight, and the gradients of sum(image_embeds * cotangent); computed in float64.
Writes packages/encoders/fixtures/lora/targets.json: which layers peft adapts for many settings, with rank and scaling of each.
Writes packages/encoders/fixtures/lora/peft/: an adapter folder as peft saves it, and its features (peft.safetensors).
Writes packages/encoders/fixtures/lora/towers/: an adapter folder of each class that is a tower alone, as peft saves it, and their
features (golden.safetensors).
Checks that peft reads packages/encoders/fixtures/lora/saved, which saveAdapter wrote (a test compares it), to the same features.
Writes packages/dcr/fixtures/projector/golden.safetensors: weights, inputs, outputs and gradients of
LayerNorm -> Linear -> GELU -> Linear.

Run: python tools/reference/lora.py (needs peft)
"""

import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import Linear as LoraLinear
from safetensors.torch import load_file, save_file
from transformers import CLIPModel, CLIPTextModel, CLIPVisionModel, SiglipModel, SiglipTextModel, SiglipVisionModel

PACKAGES = Path(__file__).resolve().parents[2] / "packages"
FIXTURES = PACKAGES / "encoders/fixtures"


def save(folder, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.detach().float().contiguous().clone() for name, t in tensors.items()}
    save_file(tensors, folder / "golden.safetensors")


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
    save(FIXTURES / "lora", golden)


TARGETS = [
    ("clip-quick-gelu", dict(target_modules=["q_proj", "fc1"])),
    ("clip-quick-gelu", dict(target_modules=["layers.1.mlp.fc1", "visual_projection"])),
    ("clip-quick-gelu", dict(target_modules="all-linear", r=2)),
    ("clip-quick-gelu", dict(target_modules=r".*vision_model.*\.(q_proj|v_proj)", r=4, lora_alpha=6, use_rslora=True)),
    ("clip-quick-gelu", dict(target_modules=r"(text_model|vision_model)\.encoder\.layers\.1\..*fc\d")),
    ("clip-quick-gelu", dict(target_modules=["q_proj", "v_proj"], layers_to_transform=1)),
    ("clip-quick-gelu", dict(target_modules=["q_proj", "fc2"], layers_to_transform=[0, 1], layers_pattern="layers")),
    ("clip-quick-gelu", dict(target_modules=["text_projection", "fc2"], layers_to_transform=[0], layers_pattern=["h", "lay.*"])),
    ("clip-quick-gelu", dict(target_modules=["q_proj", "k_proj"], exclude_modules=["layers.0.self_attn.q_proj"])),
    ("clip-quick-gelu", dict(target_modules=["q_proj", "k_proj"], exclude_modules=r"text_model\..*")),
    (
        "clip-quick-gelu",
        dict(
            target_modules=["q_proj", "fc1"], r=4, lora_alpha=8,
            rank_pattern={"fc1": 2, "vision_model.*q_proj": 3, "q_proj": 5}, alpha_pattern={"layers.1.mlp.fc1": 7.5},
        ),
    ),
    ("clip-quick-gelu", dict(target_modules=["q_proj"], rank_pattern={"^text_model.encoder.layers.0.self_attn.q_proj": 6})),
    ("siglip", dict(target_modules=["q_proj", "fc2"])),
    ("siglip", dict(target_modules="all-linear")),
]  # fmt: skip


def targets():
    """Adapters that peft puts on the output map of torch's MultiheadAttention do nothing, as it reads the weight past them."""
    written = []
    for name, settings in TARGETS:
        model_class = SiglipModel if name == "siglip" else CLIPModel
        model = get_peft_model(model_class.from_pretrained(FIXTURES / name), LoraConfig(**settings)).base_model.model
        adapted = {
            path: [module.r["default"], module.scaling["default"]]
            for path, module in model.named_modules()
            if isinstance(module, LoraLinear) and not path.endswith("head.attention.out_proj")
        }
        written.append(dict(model=name, settings=settings, adapted=adapted))
        print(name, settings, len(adapted))
    (FIXTURES / "lora/targets.json").write_text(json.dumps(written, indent=1) + "\n")


def folders():
    generator = torch.Generator().manual_seed(13)
    clip = CLIPModel.from_pretrained(FIXTURES / "clip-quick-gelu", attn_implementation="eager").eval()
    config = LoraConfig(
        r=3, lora_alpha=6, lora_dropout=0.1, bias="lora_only", use_rslora=True,
        target_modules=r"vision_model\..*(q_proj|fc2)", rank_pattern={"fc2": 2},
    )  # fmt: skip
    model = get_peft_model(clip, config).eval()
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if "lora_" in name or parameter.requires_grad:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    folder = FIXTURES / "lora/peft"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = "clip-quick-gelu"
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    pixels = torch.randn(2, 3, 16, 16, generator=generator)
    features = embeds(model.base_model.model.double(), pixels.double())
    save_file(
        {"pixels": pixels.permute(0, 2, 3, 1).contiguous(), "image_embeds": features.detach().float()},
        FIXTURES / "lora/peft.safetensors",
    )


TOWERS = [
    (
        CLIPVisionModel, "clip-quick-gelu",
        dict(
            target_modules=r"encoder\.layers\.\d\..*(q_proj|fc1)", r=2, lora_alpha=4, bias="lora_only",
            rank_pattern={"^encoder.layers.0.mlp.fc1": 3}, alpha_pattern={"layers.1.*fc1": 5},
        ),
    ),
    (
        CLIPTextModel, "clip-quick-gelu",
        dict(target_modules=["q_proj", "v_proj"], layers_to_transform=[1, 5], layers_pattern="layers", exclude_modules=["lm_head"]),
    ),
    (SiglipVisionModel, "siglip", dict(target_modules="all-linear", r=2, bias="lora_only")),
    (SiglipTextModel, "siglip", dict(target_modules=["fc2"], r=2, bias="all", init_lora_weights="orthogonal")),
]  # fmt: skip


def towers():
    """torch's MultiheadAttention reads its output map past the adapter, whose lora_B therefore stays 0 in training, and not past its bias."""
    generator = torch.Generator().manual_seed(17)
    inputs = {
        "clip-quick-gelu": load_file(FIXTURES / "clip-quick-gelu/golden.safetensors"),
        "siglip": load_file(FIXTURES / "siglip/golden.safetensors"),
    }
    golden = {}
    for model_class, name, settings in TOWERS:
        base = model_class.from_pretrained(FIXTURES / name, attn_implementation="eager").eval()
        model = get_peft_model(base, LoraConfig(**settings)).eval()
        for key, parameter in model.named_parameters():
            with torch.no_grad():
                if parameter.requires_grad and not ("head.attention.out_proj" in key and "lora_" in key):
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        folder = FIXTURES / "lora/towers" / model_class.__name__
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        written = json.loads((folder / "adapter_config.json").read_text())
        written["base_model_name_or_path"] = name
        (folder / "adapter_config.json").write_text(json.dumps(written, indent=2) + "\n")
        given = inputs[name]
        with torch.no_grad():
            if model_class in (CLIPVisionModel, SiglipVisionModel):
                output = model.double()(pixel_values=given["pixels"].permute(0, 3, 1, 2).double())
            else:
                output = model.double()(input_ids=given["input_ids"].long())
        golden[model_class.__name__] = output.pooler_output.float().contiguous()
        print(model_class.__name__, sorted(load_file(folder / "adapter_model.safetensors"))[:2])
    save_file(golden, FIXTURES / "lora/towers/golden.safetensors")


def read_saved():
    """What saveAdapter of @dcr-js/encoders wrote of the adapters in lora/peft gives the same features in peft."""
    golden = load_file(FIXTURES / "lora/peft.safetensors")
    clip = CLIPModel.from_pretrained(FIXTURES / "clip-quick-gelu", attn_implementation="eager").eval()
    model = PeftModel.from_pretrained(clip, FIXTURES / "lora/saved").eval().double()
    features = embeds(model.base_model.model, golden["pixels"].permute(0, 3, 1, 2).double())
    error = (features - golden["image_embeds"]).norm() / golden["image_embeds"].norm()
    print("saved by @dcr-js/encoders, read by peft: relative error of the features", float(error))
    assert error < 1e-6


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
    save(PACKAGES / "dcr/fixtures/projector", golden)


if __name__ == "__main__":
    lora()
    targets()
    folders()
    towers()
    if (FIXTURES / "lora/saved").exists():
        read_saved()
    projector()
