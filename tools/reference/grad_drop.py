"""Golden gradients of TorchJD's GradDrop in float64, for the two draws between which an element falls: all below its share of positive
gradients, and all above it.

Writes packages/gradient-conflict/fixtures/grad-drop.json: gradients, leaks, the shares, and the result of each draw.

Run: python tools/reference/grad_drop.py (needs torchjd 0.18)
"""

import json
from pathlib import Path

import torch
from torchjd.aggregation import GradDrop

FILE = Path(__file__).resolve().parents[2] / "packages/gradient-conflict/fixtures/grad-drop.json"


def main():
    generator = torch.Generator().manual_seed(43)
    jacobian = torch.randn(3, 12, generator=generator, dtype=torch.float64)
    # Two elements without conflict.
    jacobian[:, 0], jacobian[:, 1] = jacobian[:, 0].abs(), -jacobian[:, 1].abs()
    shares = []

    def share(purity):
        shares.append(purity.tolist())
        return purity

    golden = {"jacobian": jacobian.tolist()}
    for name, leak in {"plain": None, "leaking": [0.2, 0.0, 0.7]}.items():
        aggregator = GradDrop(f=share, leak=None if leak is None else torch.tensor(leak, dtype=torch.float64))
        drawn = {}
        for draw, value in {"below": 1e-12, "above": 1 - 1e-12}.items():
            torch.rand = lambda shape, value=value, **options: torch.full(shape, value, **options)
            drawn[draw] = aggregator(jacobian).tolist()
        golden[name] = {"leak": leak, **drawn}
    golden["shares"] = shares[0]
    FILE.write_text(json.dumps(golden))


main()
