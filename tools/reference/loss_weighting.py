"""Golden weights of the aggregators that weigh by the losses' values: the gradients of TorchJD's scalarizers in float64, over five steps.

Writes packages/gradient-conflict/fixtures/loss-weighting.json: the losses of each step, and for each aggregator its weights.

Run: python tools/reference/loss_weighting.py (needs torchjd 0.18)
"""

import json
from pathlib import Path

import torch
from torchjd.scalarization import DWA, FAMO, IMTLL, STCH, UW

FILE = Path(__file__).resolve().parents[2] / "packages/gradient-conflict/fixtures/loss-weighting.json"
LOSSES = torch.tensor(
    [[1.0, 4, 0.3], [0.7, 4.2, 0.2], [0.6, 3.1, 0.25], [0.2, 3, 0.1], [0.25, 1, 0.01]], dtype=torch.float64
)
PREFERENCE, IDEAL = [0.5, 0.3, 0.2], [0.1, 0, -0.2]


def run(scalarizer, before=None, after=None):
    """The gradient at the losses of each step. `before` and `after` are called around it with the losses."""
    weights = []
    for step, losses in enumerate(LOSSES):
        if before and step > 0:
            before(losses)
        values = losses.clone().requires_grad_()
        scalarizer(values).backward()
        weights.append(values.grad.tolist())
        if after:
            after()
    return weights


def trained(scalarizer, rate, start=0.0):
    """As `run`, with steps of gradient descent on the scalarizer's parameters."""
    scalarizer = scalarizer.double()
    for parameter in scalarizer.parameters():
        parameter.data.fill_(start)
    optimizer = torch.optim.SGD(scalarizer.parameters(), lr=rate)

    def after():
        optimizer.step()
        optimizer.zero_grad()

    return run(scalarizer, after=after)


def main():
    dwa, famo = DWA(temperature=1.5), FAMO(3, lr=0.05, weight_decay=1e-3).double()
    weights, reference = (torch.tensor(x, dtype=torch.float64) for x in (PREFERENCE, IDEAL))
    golden = {
        "losses": LOSSES.tolist(),
        "preference": PREFERENCE,
        "ideal": IDEAL,
        "dwa": run(dwa, after=dwa.step),
        # The losses after a step are here those of the next one.
        "famo": run(famo, before=famo.update),
        "imtlL": trained(IMTLL(3), 0.05),
        "stch": run(STCH(0.3, weights, reference)),
        "uncertaintyWeighting": trained(UW(3), 0.05, start=-0.5),
    }
    FILE.write_text(json.dumps(golden))


main()
