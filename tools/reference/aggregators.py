"""Golden weights of gradient aggregators, from TorchJD in float64; of Nash-MTL from SciPy, solving its equation.

Writes packages/gradient-conflict/fixtures/aggregators.json: Gram matrices and for each aggregator its weights. PCGrad and GradVac meet
the other gradients in the losses' order; GradVac is run twice, for what it remembers.

Run: python tools/reference/aggregators.py (needs torchjd 0.18 with quadprog and cvxpy, scipy)
"""

import json
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import least_squares, minimize
from torchjd.aggregation import (
    AlignedMTL,
    CAGrad,
    ConFIG,
    DualProj,
    ExcessMTL,
    FairGrad,
    GradVac,
    IMTLG,
    Krum,
    MGDA,
    PCGrad,
    TrimmedMean,
    UPGrad,
)
from torchjd.aggregation._sdmgrad import SDMGradWeighting
from torchjd.linalg import QuadprogProjector

FILE = Path(__file__).resolve().parents[2] / "packages/gradient-conflict/fixtures/aggregators.json"
warnings.filterwarnings("ignore")
torch.randperm = torch.arange


def matrices():
    generator = torch.Generator().manual_seed(41)
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    conflicting = normal(4, 6)
    conflicting -= 1.2 * conflicting.mean(0)
    return {
        "two": torch.tensor([[1.0, 2, 0], [0.5, -1, 0.3]], dtype=torch.float64),
        "three": normal(3, 5),
        "agreeing": normal(3, 5) * 0.1 + normal(1, 5),
        "conflicting": conflicting,
        "unequal": normal(3, 4) * torch.tensor([[1.0], [10], [0.1]], dtype=torch.float64),
    }


def weights(aggregator, jacobian):
    return torch.linalg.lstsq(jacobian.T, aggregator(jacobian)).solution.tolist()


def nash(jacobian):
    """Solves G w = 1 / w (TorchJD's sequence of programs, as published, often stops where it starts)."""
    gram = jacobian @ jacobian.T
    start = 1 / np.sqrt(np.diag(gram))
    # In u = log w: the convex w'Gw / 2 - sum(log w) has this equation as its gradient.
    slope = lambda u: np.exp(u) * (gram @ np.exp(u)) - 1
    curvature = lambda u: np.diag(slope(u) + 1) + np.exp(u)[:, None] * gram * np.exp(u)
    value = lambda u: np.exp(u) @ gram @ np.exp(u) / 2 - u.sum()
    options = {"gtol": 1e-11, "maxiter": 10000}
    w = np.exp(minimize(value, np.log(start), jac=slope, hess=curvature, method="trust-exact", options=options).x)
    assert np.allclose(gram @ w * w, 1, rtol=1e-8)
    return (w / max(1, np.linalg.norm(w @ jacobian))).tolist()


def fair(jacobian, alpha):
    """TorchJD stops its least squares early; a solution of its equation is polished here."""
    gram = (jacobian @ jacobian.T).numpy()
    value = lambda u: gram @ np.exp(u) - np.exp(-u / alpha)
    start = np.log(np.maximum(weights(FairGrad(alpha=alpha), jacobian), 1e-3))
    result = least_squares(value, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert np.abs(result.fun).max() < 1e-9
    return np.exp(result.x).tolist()


def main():
    golden = {}
    for name, jacobian in matrices().items():
        vac = GradVac(beta=0.3)
        golden[name] = {
            "gram": (jacobian @ jacobian.T).flatten().tolist(),
            "pcgrad": weights(PCGrad(), jacobian),
            "mgda": weights(MGDA(epsilon=1e-12, max_iters=200000), jacobian),
            "imtlG": weights(IMTLG(), jacobian),
            "upgrad": weights(UPGrad(projector=QuadprogProjector(norm_eps=0, reg_eps=1e-12)), jacobian),
            "cagrad": weights(CAGrad(c=0.5, norm_eps=1e-9), jacobian),
            "cagrad1": weights(CAGrad(c=1.0, norm_eps=1e-9), jacobian),
            "gradVac": [weights(vac, jacobian), weights(vac, jacobian)],
            "nashMTL": nash(jacobian.numpy()),
            "dualProj": weights(DualProj(projector=QuadprogProjector(norm_eps=0, reg_eps=1e-12)), jacobian),
            "conFIG": weights(ConFIG(), jacobian),
            "conFIG preference": weights(ConFIG(pref_vector=torch.arange(1.0, len(jacobian) + 1).double()), jacobian),
            **{f"alignedMTL {mode}": weights(AlignedMTL(scale_mode=mode), jacobian) for mode in ("min", "median", "rmse")},
            **{f"fairGrad {alpha}": fair(jacobian, alpha) for alpha in (0.5, 1.0, 2.0)},
        }
        sdm, excess = SDMGradWeighting(), ExcessMTL(n_warmup_steps=1)
        golden[name]["sdmGrad"] = [sdm(jacobian @ jacobian.T).tolist() for _ in range(2)]
        golden[name]["jacobian"] = jacobian.tolist()
        golden[name]["excessMTL"] = [excess(jacobian).tolist() for _ in range(3)]
        if len(jacobian) > 2:
            golden[name]["krum"] = weights(Krum(n_byzantine=0, n_selected=2), jacobian)
            golden[name]["trimmedMean"] = TrimmedMean(trim_number=1)(jacobian).tolist()
    FILE.write_text(json.dumps(golden))


main()
