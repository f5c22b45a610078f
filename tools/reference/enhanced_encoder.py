"""Reads what `dcr enhance` wrote with transformers and peft, and records the features that they give.

    npx dcr enhance --encoder packages/cli/fixtures/models/clip --diffusion packages/cli/fixtures/models/stable-diffusion \
        --images <60 images> --out <run> --align-steps 8 --steps 20 --batch 4 --align-batch 4 --learning-rate 0.01 \
        --align-learning-rate 0.001 --lora-rank 4 --lora-alpha 4 --device wasm
    python tools/reference/enhanced_encoder.py <run>

Asserts that encoder/ as CLIPModel, encoder/ as CLIPVisionModelWithProjection, and adapter/ on the encoder as it was give the same
features, within 1e-5 of the largest, and that the adapters changed them. Writes packages/cli/fixtures/enhanced: adapter/ as it
is, and golden.safetensors with pixels [4, 3, 32, 32] and features [4, 24] of encoder/.
"""

import shutil
import sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import CLIPModel, CLIPVisionModelWithProjection

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "packages/cli/fixtures/models/clip"
FIXTURES = ROOT / "packages/cli/fixtures/enhanced"
run = Path(sys.argv[1])

torch.manual_seed(0)
pixels = torch.randn(4, 3, 32, 32)


def features(model, adapted=False):
    model.eval()
    with torch.no_grad():
        if isinstance(model, CLIPVisionModelWithProjection):
            return model(pixels).image_embeds
        vision = model.vision_model(pixels).pooler_output
        return model.visual_projection(vision)


def load(kind, folder):
    model, info = kind.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"], info
    return model


whole = features(load(CLIPModel, run / "encoder"))
tower = features(load(CLIPVisionModelWithProjection, run / "encoder"))
before = features(load(CLIPModel, BASE))
peft_model = PeftModel.from_pretrained(load(CLIPModel, BASE), run / "adapter")
adapted = features(peft_model.base_model.model)
scale = whole.abs().max()
for name, other in {"tower": tower, "adapter": adapted}.items():
    difference = ((other - whole).abs().max() / scale).item()
    print(name, difference)
    assert difference < 1e-5, name
moved = ((before - whole).abs().max() / scale).item()
print("moved", moved)
assert moved > 0.01

shutil.rmtree(FIXTURES, ignore_errors=True)
shutil.copytree(run / "adapter", FIXTURES / "adapter")
config = (FIXTURES / "adapter/adapter_config.json").read_text()
(FIXTURES / "adapter/adapter_config.json").write_text(config.replace(str(BASE), "clip"))
save_file({"pixels": pixels, "features": whole.contiguous()}, FIXTURES / "golden.safetensors")
