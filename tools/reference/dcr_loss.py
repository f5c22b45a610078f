"""Golden values of the DCR loss and its gradients from PyTorch, written from the paper's equation as a loop.

Run from the repository's root: python3 tools/reference/dcr_loss.py
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
N, H, W, C = 4, 3, 2, 4
tensors = {}
for tau in (0.1, 0.001):
    predictions = torch.randn(N, N, H, W, C, requires_grad=True)
    augmented = torch.randn(N, H, W, C, requires_grad=True)
    target = torch.randn(N, H, W, C)

    def s(a, b):
        return F.cosine_similarity(a.flatten(), b.flatten(), dim=0) / tau

    losses = []
    for i in range(N):
        anchor = predictions[i, i]
        candidates = [augmented[i], target[i]] + [predictions[i, k] for k in range(N) if k != i]
        total = torch.logsumexp(torch.stack([s(anchor, c) for c in candidates]), 0)
        losses.append(-0.5 * sum(s(anchor, p) - total for p in (augmented[i], target[i])))
    loss = torch.stack(losses).mean()
    loss.backward()
    tensors |= {
        f"{tau}.predictions": predictions.detach(),
        f"{tau}.augmented": augmented.detach(),
        f"{tau}.target": target,
        f"{tau}.loss": loss.detach().reshape(1),
        f"{tau}.dPredictions": predictions.grad,
        f"{tau}.dAugmented": augmented.grad,
    }
folder = pathlib.Path("packages/dcr/fixtures")
folder.mkdir(exist_ok=True)
save_file(tensors, folder / "dcr-loss.safetensors")
