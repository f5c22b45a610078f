"""Runs TorchJD's own tests of its aggregators on ours.

TorchJD's tests make their matrices, call an aggregator (or a weighting) and assert on what it returns. Here each call goes to
@dcr-js/gradient-conflict in a Node process (torchjd_bridge.mjs), which aggregates float32 tensors on tfjs's CPU backend. Tests of what only TorchJD
has (errors of constructors, texts of objects, autograd through an aggregator) are left out, and so are the values of random draws.

Run: git clone https://github.com/TorchJD/torchjd; git -C torchjd checkout 46962c2b; npm run build;
python tools/reference/torchjd_bridge.py torchjd (needs torch, pytest, cvxpy, quadprog)
"""

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(sys.argv[1]).resolve()
sys.path[:0] = [str(CHECKOUT / "src"), str(CHECKOUT / "tests")]

import pytest
import torch
from torchjd.aggregation import Aggregator, Weighting

# TorchJD's test of these properties, by the names of its functions.
TESTS = (
    "expected_structure or non_conflicting or permutation_invariant or linear_under_scaling or strongly_stationary "
    "or kkt_conditions or equivalence_upgrad or imtlg_zero or aggregator_output or weighting_output"
)

preference = lambda a: {} if a._pref_vector is None else {"preference": a._pref_vector.tolist()}
# TorchJD adds its regularization to inner products that are divided by their trace, ours is added to cosines.
projected = lambda a: {**preference(a), "regularization": getattr(a, "_reg_eps", getattr(a, "reg_eps", 0)) or 1e-10}
krum = lambda a, prefix: {"byzantine": getattr(a, f"{prefix}n_byzantine"), "selected": getattr(a, f"{prefix}n_selected")}

# For each class of TorchJD ours and its options.
OURS = {
    "AlignedMTL": ("alignedMTL", lambda a: {**preference(a), "scaleMode": a._scale_mode}),
    "AlignedMTLWeighting": ("alignedMTL", lambda a: {**preference(a), "scaleMode": a._scale_mode}),
    "CAGrad": ("cagrad", lambda a: {"c": a._c}),
    "CAGradWeighting": ("cagrad", lambda a: {"c": a.c}),
    "ConFIG": ("conFIG", None),
    "Constant": ("weightedSum", lambda a: a._weights.tolist()),
    "ConstantWeighting": ("weightedSum", lambda a: a.weights.tolist()),
    "DualProj": ("dualProj", projected),
    "DualProjWeighting": ("dualProj", projected),
    "GradDrop": ("gradDrop", lambda a: {} if a.leak is None else {"leak": a.leak.tolist()}),
    "IMTLG": ("imtlG", None),
    "IMTLGWeighting": ("imtlG", None),
    "Krum": ("krum", lambda a: krum(a, "_")),
    "KrumWeighting": ("krum", lambda a: krum(a, "")),
    "MGDA": ("mgda", None),
    "MGDAWeighting": ("mgda", None),
    "NashMTL": ("nashMTL", lambda a: {"maxNorm": a._max_norm}),
    "PCGrad": ("pcgrad", lambda a: {}),
    "PCGradWeighting": ("pcgrad", lambda a: {}),
    "Random": ("randomWeighting", lambda a: {}),
    "Sum": ("weightedSum", None),
    "SumWeighting": ("weightedSum", None),
    "TrimmedMean": ("trimmedMean", lambda a: {"trim": a.trim_number}),
    "UPGrad": ("upgrad", projected),
    "UPGradWeighting": ("upgrad", projected),
}


class Bridge:
    def __init__(self):
        script = Path(__file__).with_suffix(".mjs")
        self.node = subprocess.Popen(
            ["node", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.step = 0
        self.calls = 0

    def ask(self, aggregator, **matrix):
        name, options = OURS[type(aggregator).__name__]
        request = {"name": name, "step": self.step, **matrix}
        if options is not None:
            request["options"] = options(aggregator)
        self.step += 1
        self.calls += 1
        self.node.stdin.write(json.dumps(request) + "\n")
        self.node.stdin.flush()
        answer = json.loads(self.node.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["values"]


class Plugin:
    """Routes the calls, and leaves out what cannot be compared."""

    def __init__(self):
        self.left_out = []

    def pytest_collection_modifyitems(self, config, items):
        kept = []
        for item in items:
            parameters = getattr(item, "callspec", None)
            tested = list(parameters.params.values()) if parameters else []
            classes = {type(x).__name__ for x in tested if isinstance(x, (Aggregator, Weighting))}
            drawn = item.name.split("[")[0].endswith("_output") and classes & {"Random", "RandomWeighting", "GradDrop"}
            # The mean is a weighted sum that its user gives the weights of.
            # TorchJD's numbers are those of its regularization, 1e-4 of the trace.
            if item.name.split("[")[0].endswith("_output") and any("UPGrad" in x or "DualProj" in x for x in classes):
                item.add_marker(pytest.mark.xfail(reason="the values hold TorchJD's regularization", strict=True))
            if drawn or classes & {"Mean", "MeanWeighting"}:
                self.left_out.append(item.name)
            else:
                kept.append(item)
        items[:] = kept


def main():
    bridge = Bridge()
    aggregate, weigh = Aggregator.__call__, Weighting.__call__

    def ours(self, matrix):
        if type(self).__name__ not in OURS:
            return aggregate(self, matrix)
        return torch.tensor(bridge.ask(self, matrix=matrix.tolist()), dtype=matrix.dtype)

    def our_weights(self, stat):
        if type(self).__name__ not in OURS:
            return weigh(self, stat)
        return torch.tensor(bridge.ask(self, gram=stat.tolist()), dtype=stat.dtype)

    Aggregator.__call__, Weighting.__call__ = ours, our_weights
    plugin = Plugin()
    tests = CHECKOUT / "tests/unit/aggregation"
    arguments = ["-q", "--tb=line", "-p", "no:cacheprovider", f"--rootdir={CHECKOUT}", "-k", f"({TESTS}) and not pref"]
    files = [str(path) for path in sorted(tests.glob("test_*.py")) if path.stem not in ("test_aggregator_bases", "test_mean")]
    status = pytest.main([*arguments, *sys.argv[2:], *files], plugins=[plugin])
    print(f"{bridge.calls} calls went to @dcr-js/gradient-conflict; {len(plugin.left_out)} tests of random values or of a mean left out")
    sys.exit(status)


main()
