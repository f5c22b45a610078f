"""Golden values of transformers' SiglipModel, a small random model, computed in float64.

Writes packages/encoders/fixtures/siglip/: an ordinary folder (config.json, model.safetensors, preprocessor_config.json) and
golden.safetensors: inputs (images channels-last), outputs, and gradients of sum(output * cotangent).

Run: python tools/reference/siglip.py
"""

import torch
from clip import PACKAGES, fresh, from_pixels, nhwc, randomize, save_golden
from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

FOLDER = PACKAGES / "encoders/fixtures/siglip"


def main():
    fresh(FOLDER)
    config = SiglipConfig(
        text_config=dict(
            vocab_size=60, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
            max_position_embeddings=12, projection_size=32,
        ),
        # 18 pixels are four patches of four, and two that are not seen, as 384 pixels are 27 patches of 14.
        vision_config=dict(
            hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=18, patch_size=4,
        ),
    )  # fmt: skip
    model = SiglipModel._from_config(config, attn_implementation="eager").eval()
    randomize(model, 7)
    with torch.no_grad():
        model.logit_scale.fill_(2.2)
        model.logit_bias.fill_(-3.5)
        generator = torch.Generator().manual_seed(8)
        probe = model.vision_model.head.probe
        probe.copy_(torch.randn(probe.shape, generator=generator))
    model.save_pretrained(FOLDER)
    SiglipImageProcessorPil(size={"height": 18, "width": 18}).save_pretrained(FOLDER)
    model.double()
    pixels = torch.randn(3, 3, 18, 18, generator=generator, dtype=torch.float64).requires_grad_()
    input_ids = torch.randint(0, 60, (2, 12), generator=generator)
    vision = model.vision_model(pixels)
    text = model.text_model(input_ids)
    output = model(input_ids=input_ids, pixel_values=pixels)
    image_embeds, text_embeds = vision.pooler_output, text.pooler_output
    assert torch.allclose(model.get_image_features(pixels).pooler_output, image_embeds)
    cotangent = torch.randn(image_embeds.shape, generator=generator, dtype=torch.float64)
    ((image_embeds * cotangent).sum() + (text_embeds * cotangent[:2]).sum()).backward()
    golden = dict(pixels=nhwc(pixels), input_ids=input_ids, image_embeds=image_embeds, text_embeds=text_embeds,
                  vision_last_hidden_state=vision.last_hidden_state, text_last_hidden_state=text.last_hidden_state,
                  logits_per_image=output.logits_per_image, cotangent=cotangent)  # fmt: skip
    golden["gradient.pixels"] = nhwc(pixels.grad)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and ("layers.0" in name or ".layers." not in name):
            golden[f"gradient.{name}"] = parameter.grad
    save_golden(FOLDER, golden)
    processor = SiglipImageProcessorPil.from_pretrained(FOLDER)
    from_pixels(FOLDER, processor, lambda pixels: model.vision_model(pixels).pooler_output)
    print(sorted(p.name for p in FOLDER.iterdir()), sorted(golden)[:8])


if __name__ == "__main__":
    main()
