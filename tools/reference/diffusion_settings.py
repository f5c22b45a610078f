"""Golden values of diffusers for the settings of UNet2DConditionModel and AutoencoderKL, each on a tiny model.

Weights are a formula of their place in the list of names, so that they need no file: the i-th number of the k-th name (sorted) is
0.3 sin(12.9898 i + 78.233 k), plus one for the weights of norms. The models compute in float64.

Run from the repository's root: python3 tools/reference/diffusion_settings.py
"""

import json
import pathlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file

from golden import nhwc

fixtures = pathlib.Path("packages/diffusion/fixtures")
torch.manual_seed(7)


def give_weights(model):
    """By the formula. Returns the shapes by name."""
    state = model.state_dict()
    for k, key in enumerate(sorted(state)):
        shape = state[key].shape
        one = 1.0 if len(shape) == 1 and key.endswith("weight") else 0.0
        i = torch.arange(shape.numel(), dtype=torch.float64)
        state[key] = (one + 0.3 * torch.sin(12.9898 * i + 78.233 * k)).reshape(shape).float()
    model.load_state_dict(state)
    model.double()
    return {key: list(value.shape) for key, value in sorted(state.items())}


def write(name, settings, golden):
    folder = fixtures / name
    folder.mkdir(exist_ok=True)
    save_file({key: value.float() if value.is_floating_point() else value.int() for key, value in golden.items()}, folder / "golden.safetensors")
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in settings.items()]
    (folder / "settings.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


BASE = dict(
    in_channels=2,
    out_channels=2,
    block_out_channels=(4, 8),
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    layers_per_block=1,
    cross_attention_dim=6,
    attention_head_dim=2,
    norm_num_groups=2,
)
TIME = 16  # The width of the time embedding: four times that of the first level.
SETTINGS = {
    "scale_shift": dict(resnet_time_scale_shift="scale_shift"),
    "only_cross_attention": dict(
        only_cross_attention=(True, False),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        transformer_layers_per_block=2,
    ),
    "only_cross_attention_everywhere": dict(only_cross_attention=True),
    "gelu_mish": dict(time_embedding_act_fn="gelu", timestep_post_act="mish", time_embedding_dim=12),
    "relu_swish": dict(time_embedding_act_fn="swish", timestep_post_act="relu"),
    "kernels": dict(conv_in_kernel=5, conv_out_kernel=1),
    "lists": dict(layers_per_block=(2, 1), attention_head_dim=(1, 4), freq_shift=1, flip_sin_to_cos=False),
    "no_mid_block": dict(mid_block_type=None),
    "num_class_embeds": dict(num_class_embeds=5),
    "class_timestep": dict(class_embed_type="timestep"),
    "class_identity": dict(class_embed_type="identity"),
    "class_projection": dict(class_embed_type="projection", projection_class_embeddings_input_dim=7),
    "class_simple_projection": dict(class_embed_type="simple_projection", projection_class_embeddings_input_dim=7),
    "text_time": dict(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=5 + 6 * 4,
    ),
}


def class_labels(name):
    if name == "num_class_embeds":
        return torch.tensor([4, 1])
    if name == "class_timestep":
        return torch.tensor([17, 350])
    return torch.randn(2, TIME if name == "class_identity" else 7).double()


settings, golden = {}, {}
for name, changes in SETTINGS.items():
    model = UNet2DConditionModel(**{**BASE, **changes}).eval()
    shapes = give_weights(model)
    sample = torch.randn(2, 2, 4, 6).double().requires_grad_()
    timesteps = torch.tensor([3, 700])
    states = torch.randn(2, 3, 6).double().requires_grad_()
    inputs, more = {}, {}
    if name.startswith("class_") or name == "num_class_embeds":
        more["labels"] = inputs["class_labels"] = class_labels(name)
    if name == "text_time":
        more["textEmbeds"], more["timeIds"] = torch.randn(2, 5).double(), torch.tensor([[64, 48, 0, 3, 32, 32], [32, 32, 1, 0, 32, 48]])
        inputs["added_cond_kwargs"] = {"text_embeds": more["textEmbeds"], "time_ids": more["timeIds"]}
    output = model(sample, timesteps, states, **inputs).sample
    weight = torch.randn_like(output)
    (output * weight).sum().backward()
    tensors = {
        "sample": nhwc(sample),
        "timesteps": timesteps,
        "states": states.detach(),
        "output": nhwc(output),
        "weight": nhwc(weight),
        "sample_gradient": nhwc(sample.grad),
        "states_gradient": states.grad,
        "time_gradient": model.time_embedding.linear_1.weight.grad,
        **more,
    }
    golden.update({f"{name}/{key}": value for key, value in tensors.items()})
    settings[name] = {"config": json.loads(model.to_json_string()), "shapes": shapes}
write("unet-settings", settings, golden)

VAE = dict(
    down_block_types=("DownEncoderBlock2D",) * 2,
    up_block_types=("UpDecoderBlock2D",) * 2,
    block_out_channels=(4, 8),
    norm_num_groups=2,
    latent_channels=2,
)
settings, golden = {}, {}
for name, changes in {
    "no_quant_convs": dict(use_quant_conv=False, use_post_quant_conv=False),
    "no_attention": dict(mid_block_add_attention=False, layers_per_block=2),
}.items():
    vae = AutoencoderKL(**{**VAE, **changes}).eval()
    shapes = give_weights(vae)
    pixels = (torch.rand(2, 3, 8, 6).double() * 2 - 1).requires_grad_()
    posterior = vae.encode(pixels).latent_dist
    posterior.mean.square().sum().backward()
    latents = torch.randn(2, 2, 3, 4).double().requires_grad_()
    decoded = vae.decode(latents).sample
    decoded.square().sum().backward()
    tensors = {
        "pixels": nhwc(pixels),
        "mean": nhwc(posterior.mean),
        "logvar": nhwc(posterior.logvar),
        "pixels_gradient": nhwc(pixels.grad),
        "latents": nhwc(latents),
        "decoded": nhwc(decoded),
        "latents_gradient": nhwc(latents.grad),
    }
    golden.update({f"{name}/{key}": value for key, value in tensors.items()})
    settings[name] = {"config": json.loads(vae.to_json_string()), "shapes": shapes}
write("vae-settings", settings, golden)
