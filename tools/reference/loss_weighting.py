"""Golden weights of the aggregators that weigh losses without their gradients' directions, over five steps in float64: the gradients of
TorchJD's scalarizers. GradNorm, which TorchJD lacks, is in libmtl.py.

Writes packages/gradient-conflict/fixtures/loss-weighting.json: the losses of each step, and for each aggregator its weights. The random
weighting draws the normal numbers that ours draws for seed 7.

Run: python tools/reference/loss_weighting.py (needs torchjd 0.18)
"""

import json
import math
from pathlib import Path

import torch
from torchjd.scalarization import DWA, FAMO, IMTLL, STCH, UW, Constant, Random

FILE = Path(__file__).resolve().parents[2] / "packages/gradient-conflict/fixtures/loss-weighting.json"
LOSSES = torch.tensor(
    [[1.0, 4, 0.3], [0.7, 4.2, 0.2], [0.6, 3.1, 0.25], [0.2, 3, 0.1], [0.25, 1, 0.01]], dtype=torch.float64
)
SEED = 7
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


def uniform_numbers(seed, step, index):
    """The numbers of packages/gradient-conflict/src/aggregators/shuffled.ts: mulberry32, whose arithmetic is modulo 2^32."""
    mask = 0xFFFFFFFF
    state = ((seed ^ ((step + 1) * 0x9E3779B1 & mask)) * 0x85EBCA6B ^ (index + 1) * 0xC2B2AE35) & mask
    while True:
        state = (state + 0x6D2B79F5) & mask
        t = (state ^ state >> 15) * (1 | state) & mask
        t = (t + ((t ^ t >> 7) * (61 | t) & mask) & mask) ^ t
        yield ((t ^ t >> 14) & mask) / 2**32


def normal_numbers(step, count):
    """By the transform of Box and Muller."""
    uniform = uniform_numbers(SEED, step, 0)
    pairs = [(next(uniform), next(uniform)) for _ in range(count)]
    return [math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v) for u, v in pairs]


def random_weights():
    steps, plain = iter(range(len(LOSSES))), torch.randn
    torch.randn = lambda count, **options: torch.tensor(normal_numbers(next(steps), count), **options)
    try:
        return run(Random())
    finally:
        torch.randn = plain


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
        "randomWeighting": random_weights(),
        "stch": run(STCH(0.3, weights, reference)),
        "uncertaintyWeighting": trained(UW(3), 0.05, start=-0.5),
        "weightedSum": run(Constant(weights)),
    }
    FILE.write_text(json.dumps(golden))


main()
