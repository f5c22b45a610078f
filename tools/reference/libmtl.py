"""Golden weights of LibMTL's own classes in float64, over the losses and matrices of the other two files of golden weights.

Writes packages/gradient-conflict/fixtures/libmtl.json: for FairGrad the weights of each matrix of aggregators.json; for DWA, FAMO and
GradNorm those of the five steps of loss-weighting.json. Run it after loss_weighting.py and aggregators.py.

LibMTL's GradNorm keeps its weights as `m softmax(s)`; here it is given the weights themselves, as the paper's algorithm 1 has them: its
softmax becomes a division by m, its loss, target and gradient stay. The step and the division by the sum are algorithm 1's last two lines.
Its DWA averages the losses of an epoch; here an epoch has one step.

Run: python tools/reference/libmtl.py (needs LibMTL at commit 4336804, found on PYTHONPATH; its dependencies are not needed)
"""

import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path

import torch

FIXTURES = Path(__file__).resolve().parents[2] / "packages/gradient-conflict/fixtures"
torch.set_default_dtype(torch.float64)

# Its packages import models and solvers that are not needed: they are made without running their __init__.py.
folder = Path(importlib.util.find_spec("LibMTL").submodule_search_locations[0])
for name, path in (("LibMTL", folder), ("LibMTL.weighting", folder / "weighting")):
    package = types.ModuleType(name)
    package.__path__ = [str(path)]
    sys.modules[name] = package
MODULES = {name: importlib.import_module(f"LibMTL.weighting.{name}") for name in ("DWA", "FAMO", "FairGrad", "GradNorm")}


def make(name, tasks, parameter=None):
    """One of LibMTL's weightings, with what its trainer gives it."""
    weighting = getattr(MODULES[name], name)()
    weighting.task_num, weighting.device, weighting.rep_grad, weighting.epoch = tasks, "cpu", False, 0
    weighting.get_share_params = lambda: [parameter]
    weighting.zero_grad_share_params = lambda: parameter.grad.zero_() if parameter.grad is not None else None
    weighting.init_param()
    return weighting


def losses_of(values, jacobian):
    """Losses of these values whose gradients at the parameter, which is 0, are the rows of the matrix."""
    parameter = torch.zeros(jacobian.shape[1], requires_grad=True)
    return parameter, values + jacobian @ parameter


def fair_grad(jacobian, alpha):
    parameter, losses = losses_of(torch.ones(len(jacobian)), jacobian)
    return make("FairGrad", len(jacobian), parameter).backward(losses, FairGrad_alpha=alpha).tolist()


def dwa(steps, temperature):
    weighting = make("DWA", steps.shape[1])
    weighting.train_loss_buffer = steps.T.numpy()
    weights = []
    for weighting.epoch, values in enumerate(steps):
        weights.append(weighting.backward(values.clone().requires_grad_(), T=temperature).tolist())
    return weights


def famo(steps, rate, decay):
    weighting, weights = make("FAMO", steps.shape[1]), []
    for step, values in enumerate(steps):
        if step > 0:
            weighting.update_w(values)
        losses = values.clone().requires_grad_()
        weighting.backward(losses, FAMO_w_lr=rate, FAMO_w_gamma=decay)
        weights.append(losses.grad.tolist())
    return weights


def grad_norm(steps, norms, alpha, rate):
    module = MODULES["GradNorm"]
    module.F = types.SimpleNamespace(softmax=lambda scale, dim: scale / len(scale))
    jacobian, weights = torch.diag(norms), []
    parameter = torch.zeros(len(norms), requires_grad=True)
    weighting = make("GradNorm", len(norms), parameter)
    weighting.epoch, weighting.train_loss_buffer = 1, steps[:1].T.numpy()
    for values in steps:
        parameter.grad, weighting.loss_scale.grad = None, None
        weights.append(weighting.backward(values + jacobian @ parameter, alpha=alpha).tolist())
        with torch.no_grad():
            scale = weighting.loss_scale - rate * weighting.loss_scale.grad
            weighting.loss_scale.copy_(scale * len(scale) / scale.sum())
    return weights


def main():
    matrices = json.loads((FIXTURES / "aggregators.json").read_text())
    steps = torch.tensor(json.loads((FIXTURES / "loss-weighting.json").read_text())["losses"])
    golden = {
        "fairGrad": {
            name: {str(alpha): fair_grad(torch.tensor(matrix["jacobian"]), alpha) for alpha in (0.5, 1.0, 2.0)}
            for name, matrix in matrices.items()
        },
        "dwa": dwa(steps, 1.5),
        "famo": famo(steps, 0.05, 1e-3),
        "gradNorm": grad_norm(steps, torch.tensor([2.0, 1, 1]), 1.5, 0.05),
    }
    (FIXTURES / "libmtl.json").write_text(json.dumps(golden))


main()
