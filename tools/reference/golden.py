"""What the scripts of diffusers' golden values share."""

import torch


def randomize(model):
    """Norms start at one and biases at zero: perturb them, or a swapped weight would go unnoticed."""
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.05)
    return model.eval()


def nhwc(x):
    return x.detach().permute(0, 2, 3, 1).contiguous()
