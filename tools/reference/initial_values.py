"""The root mean squares of the first values that transformers gives CLIP's and SigLIP's parameters, averaged over 32 models.

Writes packages/encoders/fixtures/initial-values.json: for each class its configuration, and by parameter the root mean square.

Run: python tools/reference/initial_values.py
"""

import json

import torch
from clip import PACKAGES
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SiglipConfig,
    SiglipModel,
)

MODELS = 32
text = dict(vocab_size=50, hidden_size=32, intermediate_size=80, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=12)  # fmt: skip
vision = dict(hidden_size=48, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, image_size=16, patch_size=4)


def main():
    torch.manual_seed(0)
    clip = dict(text_config=text, vision_config=vision, projection_dim=40)
    siglip = dict(text_config=dict(text, projection_size=48), vision_config=vision)
    result = {}
    for name, config, make in [
        ("CLIPModel", clip, lambda: CLIPModel(CLIPConfig(**clip))),
        ("CLIPTextModelWithProjection", dict(text, projection_dim=40),
         lambda: CLIPTextModelWithProjection(CLIPTextConfig(**text, projection_dim=40))),
        ("CLIPVisionModelWithProjection", dict(vision, projection_dim=40),
         lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**vision, projection_dim=40))),
        ("SiglipModel", siglip, lambda: SiglipModel(SiglipConfig(**siglip))),
    ]:  # fmt: skip
        squares = {}
        for _ in range(MODELS):
            for key, parameter in make().named_parameters():
                squares[key] = squares.get(key, 0.0) + parameter.detach().double().square().mean().item() / MODELS
        rms = {key: float(f"{value ** 0.5:.5g}") for key, value in squares.items()}
        result[name] = dict(config=config, rms=rms)
    file = PACKAGES / "encoders/fixtures/initial-values.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    print(file.stat().st_size)


if __name__ == "__main__":
    main()
