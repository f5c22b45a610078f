"""Golden values of the DCR loss and its gradients, from PyTorch's cosine similarity and cross entropy in float64.

Writes packages/dcr/fixtures/dcr-loss/golden.safetensors: predictions, augmented and target, and for each temperature
the loss of each anchor, the mean loss and the mean loss's gradients. "close" repeats it for predictions that are nearly
parallel, as predicted noises are at small timesteps.

Run: python tools/reference/dcr_loss.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn.functional import cosine_similarity, cross_entropy

FOLDER = Path(__file__).resolve().parents[2] / "packages/dcr/fixtures/dcr-loss"
N = 4


def losses(predictions, augmented, target, temperature):
    result = []
    for i in range(N):
        negatives = [predictions[i, k] for k in range(N) if k != i]
        candidates = torch.stack([augmented[i], target[i], *negatives]).flatten(1)
        scores = cosine_similarity(predictions[i, i].flatten()[None], candidates) / temperature
        result.append(sum(cross_entropy(scores, torch.tensor(p)) for p in (0, 1)) / 2)
    return torch.stack(result)


def main():
    generator = torch.Generator().manual_seed(21)
    golden = {}
    for case, spread in {"apart": 1.0, "close": 0.05}.items():
        noise = torch.randn(N, 1, 3, 3, 4, generator=generator)
        inputs = {
            "predictions": noise + spread * torch.randn(N, N, 3, 3, 4, generator=generator),
            "augmented": noise[:, 0] + spread * torch.randn(N, 3, 3, 4, generator=generator),
            "target": noise[:, 0] + spread * torch.randn(N, 3, 3, 4, generator=generator),
        }
        golden.update({f"{case}.{name}": x for name, x in inputs.items()})
        for temperature in (0.1, 0.001):
            leaves = {name: x.double().requires_grad_() for name, x in inputs.items()}
            each = losses(**leaves, temperature=temperature)
            each.mean().backward()
            key = f"{case}.{temperature}"
            golden[f"{key}.losses"] = each
            golden[f"{key}.value"] = each.mean()
            golden[f"{key}.gradient.predictions"] = leaves["predictions"].grad
            golden[f"{key}.gradient.augmented"] = leaves["augmented"].grad
    FOLDER.mkdir(parents=True, exist_ok=True)
    golden = {name: x.detach().float().contiguous() for name, x in golden.items()}
    save_file(golden, FOLDER / "golden.safetensors")


main()
