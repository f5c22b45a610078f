"""Reads what `dcr enhance` wrote with transformers and peft, and records the features that they give.

    npx dcr enhance --encoder packages/cli/fixtures/models/clip --diffusion packages/cli/fixtures/models/stable-diffusion \
        --images <60 images> --out <run> --align-steps 8 --steps 20 --batch 4 --align-batch 4 --learning-rate 0.01 \
        --align-learning-rate 0.001 --lora-rank 4 --lora-alpha 4 --device wasm
    python tools/reference/enhanced_encoder.py clip <run>

and the same with models/siglip, models/stable-diffusion-xl, and `siglip` for `clip`.

Asserts that encoder/ as the whole model, encoder/ as the image tower only, and adapter/ on the encoder as it was give the same
features, within 1e-5 of the largest, and that the adapters changed them. Writes packages/cli/fixtures/enhanced/<family>: adapter/ as
it is, and golden.safetensors with pixels [4, 3, 32, 32], features [4, d] of encoder/, and the model's zero-shot probabilities [4, 3] of
TEXTS: softmax of CLIP's logits, sigmoid of SigLIP's.
"""

import shutil
import sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import (
    CLIPModel,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerFast,
    SiglipModel,
    SiglipVisionModel,
)

ROOT = Path(__file__).resolve().parents[2]
family, run = sys.argv[1], Path(sys.argv[2])
BASE = ROOT / "packages/cli/fixtures/models" / family
FIXTURES = ROOT / "packages/cli/fixtures/enhanced" / family
whole_class, tower_class = {
    "clip": (CLIPModel, CLIPVisionModelWithProjection),
    "siglip": (SiglipModel, SiglipVisionModel),
}[family]

TEXTS = ["a photo of a cat", "a red circle on a blue ground", "two dogs"]

torch.manual_seed(0)
pixels = torch.randn(4, 3, 32, 32)


def features(model):
    model.eval()
    with torch.no_grad():
        if isinstance(model, CLIPVisionModelWithProjection):
            return model(pixels).image_embeds
        if isinstance(model, SiglipVisionModel):
            return model(pixels).pooler_output
        vision = model.vision_model(pixels).pooler_output
        return model.visual_projection(vision) if family == "clip" else vision


def load(kind, folder):
    model, info = kind.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"], info
    return model


whole = features(load(whole_class, run / "encoder"))
tower = features(load(tower_class, run / "encoder"))
before = features(load(whole_class, BASE))
peft_model = PeftModel.from_pretrained(load(whole_class, BASE), run / "adapter")
adapted = features(peft_model.base_model.model)
scale = whole.abs().max()
for name, other in {"tower": tower, "adapter": adapted}.items():
    difference = ((other - whole).abs().max() / scale).item()
    print(name, difference)
    assert difference < 1e-5, name
moved = ((before - whole).abs().max() / scale).item()
print("moved", moved)
assert moved > 0.01

tokenizer = PreTrainedTokenizerFast.from_pretrained(run / "encoder")
# Both models were trained on texts padded to their length.
length = load(whole_class, run / "encoder").config.text_config.max_position_embeddings
ids = tokenizer(TEXTS, padding="max_length", max_length=length, truncation=True, return_tensors="pt").input_ids
with torch.no_grad():
    logits = load(whole_class, run / "encoder").eval()(input_ids=ids, pixel_values=pixels).logits_per_image
probabilities = logits.softmax(1) if family == "clip" else logits.sigmoid()
print(probabilities)

shutil.rmtree(FIXTURES, ignore_errors=True)
shutil.copytree(run / "adapter", FIXTURES / "adapter")
config = (FIXTURES / "adapter/adapter_config.json").read_text()
(FIXTURES / "adapter/adapter_config.json").write_text(config.replace(str(BASE), family))
golden = {"pixels": pixels, "features": whole.contiguous(), "probabilities": probabilities.contiguous()}
save_file(golden, FIXTURES / "golden.safetensors")
