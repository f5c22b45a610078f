"""Golden values of the contrastive losses, from PyTorch's cross entropy, log-sigmoid and triplet loss in float64.

Writes packages/contrastive/fixtures/pytorch.json: inputs, and for each loss its per-sample values and the gradients of
their mean.

Run: python tools/reference/contrastive_pytorch.py
"""

import json
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy, logsigmoid, normalize, triplet_margin_loss

FILE = Path(__file__).resolve().parents[2] / "packages/contrastive/fixtures/pytorch.json"
N, DIM = 4, 5
LABELS = torch.tensor([0, 1, 0, 1, 1, 0, 2, 2])
SCALE, BIAS = 2.0, -3.0


def cosines(a, b):
    return normalize(a, dim=1) @ normalize(b, dim=1).T


def info_nce(a, b, temperature):
    return cross_entropy(cosines(a, b) / temperature, torch.arange(N), reduction="none")


def info_nce_queue(a, b, c, temperature):
    own = (normalize(a, dim=1) * normalize(b, dim=1)).sum(1, keepdim=True)
    logits = torch.cat([own, cosines(a, c)], 1) / temperature
    return cross_entropy(logits, torch.zeros(N, dtype=torch.long), reduction="none")


def without_self(features, temperature):
    scores = cosines(features, features) / temperature
    return scores.masked_fill(torch.eye(len(features), dtype=torch.bool), -torch.inf)


def nt_xent(a, b, temperature):
    partner = (torch.arange(2 * N) + N) % (2 * N)
    return cross_entropy(without_self(torch.cat([a, b]), temperature), partner, reduction="none")


def sup_con(a, b, temperature, formulation):
    log_q = without_self(torch.cat([a, b]), temperature).log_softmax(1)
    positive = (LABELS[:, None] == LABELS) & ~torch.eye(2 * N, dtype=torch.bool)
    if formulation == "out":
        return -log_q.masked_fill(~positive, 0).sum(1) / positive.sum(1)
    total = log_q.masked_fill(~positive, -torch.inf).logsumexp(1)
    return (positive.sum(1).log() if formulation == "in" else 0) - total


def clip(a, b, scale):
    logits = cosines(a, b) * scale.exp()
    both = [cross_entropy(x, torch.arange(N), reduction="none") for x in (logits, logits.T)]
    return sum(both) / 2


def sig_lip(a, b, scale, bias):
    logits = cosines(a, b) * scale.exp() + bias
    return -logsigmoid((2 * torch.eye(N) - 1) * logits).sum(1)


def main():
    generator = torch.Generator().manual_seed(31)
    inputs = {name: torch.randn(N, DIM, generator=generator) for name in "abc"}
    golden = {"inputs": {name: x.flatten().tolist() for name, x in inputs.items()}, "labels": LABELS.tolist()}
    scalars = {"scale": torch.tensor(SCALE), "bias": torch.tensor(BIAS)}
    cases = {"tripletMargin": ("abc", lambda a, b, c: triplet_margin_loss(a, b, c, reduction="none"))}
    cases["tripletMargin swap"] = ("abc", lambda a, b, c: triplet_margin_loss(a, b, c, 2, swap=True, reduction="none"))
    cases["clipLoss"] = (["a", "b", "scale"], clip)
    cases["sigLipLoss"] = (["a", "b", "scale", "bias"], sig_lip)
    for t in (0.5, 0.07, 0.001):
        cases[f"infoNCE {t}"] = ("ab", lambda a, b, t=t: info_nce(a, b, t))
        cases[f"infoNCE queue {t}"] = ("abc", lambda a, b, c, t=t: info_nce_queue(a, b, c, t))
        cases[f"ntXent {t}"] = ("ab", lambda a, b, t=t: nt_xent(a, b, t))
        for f in ("out", "in", "mil-nce"):
            cases[f"supCon {f} {t}"] = ("ab", lambda a, b, t=t, f=f: sup_con(a, b, t, f))
    for name, (wanted, loss) in cases.items():
        leaves = [{**inputs, **scalars}[key].double().requires_grad_() for key in wanted]
        losses = loss(*leaves)
        losses.mean().backward()
        golden[name] = {"losses": losses.tolist(), "gradients": [x.grad.flatten().tolist() for x in leaves]}
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(golden))


main()
