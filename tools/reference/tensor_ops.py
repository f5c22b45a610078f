"""Golden values of PyTorch for packages/tensor: every fused op with its gradients, and 100 steps of AdamW.

Run from the repository's root: python3 tools/reference/tensor_ops.py
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
folder = pathlib.Path("packages/tensor/fixtures")
folder.mkdir(exist_ok=True)
out = {}


def case(name, op, **inputs):
    """Stores inputs, output, a weight and the gradients of sum(output * weight)."""
    leaves = {key: value.clone().double().requires_grad_() for key, value in inputs.items()}
    y = op(**leaves)
    weight = torch.randn_like(y)
    (y * weight).sum().backward()
    out[f"{name}.y"] = y
    out[f"{name}.weight"] = weight
    for key, value in leaves.items():
        out[f"{name}.in.{key}"] = value
        out[f"{name}.grad.{key}"] = value.grad


def heads(x, h):
    return x.unflatten(-1, (h, -1)).transpose(1, 2)


def attention(h, causal):
    def op(query, key, value):
        batch = query.shape[0]
        k, v = (heads(x.expand(batch, -1, -1), h) for x in (key, value))
        y = F.scaled_dot_product_attention(heads(query, h), k, v, is_causal=causal)
        return y.transpose(1, 2).flatten(2)

    return op


r = torch.randn
case("attention", attention(3, False), query=r(2, 7, 15), key=r(2, 5, 15), value=r(2, 5, 15))
case("attention-causal", attention(2, True), query=r(2, 6, 8), key=r(2, 6, 8), value=r(2, 6, 8))
case("attention-shared", attention(2, False), query=r(3, 4, 8), key=r(1, 6, 8), value=r(1, 6, 8))
case("layerNorm", lambda x, weight, bias: F.layer_norm(x, (13,), weight, bias), x=r(3, 5, 13), weight=r(13), bias=r(13))


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def group(silu):
    def op(x, weight, bias):
        y = F.group_norm(nchw(x), 3, weight, bias, 1e-5)
        return nhwc(F.silu(y) if silu else y)

    return op


case("groupNorm", group(False), x=r(2, 4, 5, 9), weight=r(9), bias=r(9))
case("groupNorm-silu", group(True), x=r(2, 4, 5, 9), weight=r(9), bias=r(9))
x = torch.cat([torch.linspace(-9, 9, 37), r(16)])
case("gelu-erf", F.gelu, input=x)
case("gelu-tanh", lambda x: F.gelu(x, approximate="tanh"), x=x)
case("gelu-quick", lambda x: x * torch.sigmoid(1.702 * x), x=x)
case("silu", F.silu, input=x)
case("linear", lambda x, weight, bias: F.linear(x, weight, bias), x=r(2, 5, 7), weight=r(9, 7), bias=r(9))


def conv(stride, pad):
    def op(x, weight, bias):
        padded = F.pad(nchw(x), pad)
        return nhwc(F.conv2d(padded, weight.permute(3, 2, 0, 1), bias, stride))

    return op


case("conv2d", conv(1, (1, 1, 1, 1)), x=r(2, 6, 5, 3), weight=r(3, 3, 3, 5), bias=r(5))
case("conv2d-stride", conv(2, (1, 1, 1, 1)), x=r(2, 7, 6, 3), weight=r(3, 3, 3, 4), bias=r(4))
case("conv2d-asymmetric", conv(2, (0, 1, 0, 1)), x=r(2, 6, 6, 3), weight=r(3, 3, 3, 4), bias=r(4))
case("conv2d-pointwise", conv(1, (0, 0, 0, 0)), x=r(2, 4, 4, 6), weight=r(1, 1, 6, 3), bias=r(3))
case("conv2d-patches", conv(4, (0, 0, 0, 0)), x=r(2, 8, 8, 3), weight=r(4, 4, 3, 5), bias=r(5))
case("upsample", lambda x: nhwc(F.interpolate(nchw(x), scale_factor=2, mode="nearest")), x=r(2, 3, 4, 5))
case("l2Normalize", lambda x: F.normalize(x, dim=-1), x=r(4, 7))
save_file({key: value.detach().float().contiguous() for key, value in out.items()}, folder / "ops.safetensors")

# AdamW with clipping, warm-up and cosine decay on a fixed sequence of gradients.
steps, warmup = 100, 10
parameters = [torch.nn.Parameter(r(4, 3)), torch.nn.Parameter(r(5))]
tensors = {f"start.{i}": p.detach().clone() for i, p in enumerate(parameters)}
optimizer = torch.optim.AdamW(parameters, lr=1e-2, betas=(0.9, 0.999), weight_decay=0.01)


def rate(step):
    if step < warmup:
        return step / warmup
    return 0.5 * (1 + torch.cos(torch.tensor(torch.pi * (step - warmup) / (steps - warmup))).item())


scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
gradients = [[r_.clone() for r_ in (r(steps, 4, 3) * 2, r(steps, 5))]]
for step in range(steps):
    for p, g in zip(parameters, gradients[0]):
        p.grad = g[step].clone()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    scheduler.step()
tensors |= {f"gradients.{i}": g for i, g in enumerate(gradients[0])}
tensors |= {f"end.{i}": p.detach().clone() for i, p in enumerate(parameters)}
save_file(tensors, folder / "adamw.safetensors")
