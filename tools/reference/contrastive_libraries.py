"""Golden values of the contrastive losses from pytorch-metric-learning and lightly, in float64.

Writes packages/contrastive/fixtures/libraries.json: inputs, and for each loss its value with the mean as reduction and the gradients
at its inputs; and what pytorch-metric-learning's miners choose.

Run: python tools/reference/contrastive_libraries.py
(pytorch-metric-learning 2.9, lightly 1.6)
"""

import json
from pathlib import Path

import numpy as np
import torch
from lightly.loss import (
    BarlowTwinsLoss,
    DCLLoss,
    DCLWLoss,
    DINOLoss,
    KoLeoLoss,
    MMCRLoss,
    NegativeCosineSimilarity,
    SwaVLoss,
    TiCoLoss,
    VICRegLoss,
)
from lightly.loss.lejepa_loss import SIGReg, lejepa_invariance_loss
from lightly.loss.swav_loss import sinkhorn
from pytorch_metric_learning import distances, losses, miners, reducers

FILE = Path(__file__).resolve().parents[2] / "packages/contrastive/fixtures/libraries.json"
torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(7)
draw = lambda *shape: torch.randn(*shape, generator=generator).float().double()

LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 2, 1])
x, a, b = draw(8, 5), draw(6, 5), draw(6, 5)
reference, reference_labels = draw(4, 5), torch.tensor([0, 1, 2, 0])
proxies, centers = draw(3, 5), draw(3, 2, 5)
views = draw(4, 4, 5)
covariance = (lambda m: m @ m.T / 5)(draw(5, 5))
center = draw(5) * 0.1
directions = draw(5, 7)
inputs = dict(
    x=x, a=a, b=b, reference=reference, proxies=proxies, centers=centers, views=views, covariance=covariance, center=center,
    directions=directions,
)

cases = {}


def record(name, names, f):
    leaves = [inputs[key].clone().requires_grad_() for key in names]
    value = f(*leaves)
    value.sum().backward()
    cases[name] = {
        "inputs": names,
        "value": value.item(),
        "gradients": [(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad).flatten().tolist() for leaf in leaves],
    }


mean = reducers.MeanReducer()


def metric(name, loss, names=("x",), f=None):
    record(name, list(names), f or (lambda e: loss(e, LABELS)))


L = losses
lp = distances.LpDistance
metric("contrastiveLoss", L.ContrastiveLoss(reducer=mean))
metric("contrastiveLoss margins", L.ContrastiveLoss(pos_margin=0.3, neg_margin=1.2, reducer=mean))
metric("contrastiveLoss averageNonZero", L.ContrastiveLoss(neg_margin=1.2, reducer=reducers.AvgNonZeroReducer()))
metric("contrastiveLoss perAnchor", L.ContrastiveLoss(reducer=reducers.PerAnchorReducer()))
metric("contrastiveLoss classWeighted", L.ContrastiveLoss(reducer=reducers.ClassWeightedReducer(torch.tensor([1.0, 2.0, 0.5]))))
metric("contrastiveLoss threshold", L.ContrastiveLoss(neg_margin=1.5, reducer=reducers.ThresholdReducer(low=0.1, high=1.2)))
metric("contrastiveLoss L1", L.ContrastiveLoss(distance=lp(p=1, normalize_embeddings=False), neg_margin=6, reducer=mean))
metric("contrastiveLoss L3", L.ContrastiveLoss(distance=lp(p=3, normalize_embeddings=False), neg_margin=4, reducer=mean))
metric(
    "contrastiveLoss reference", None, ("x", "reference"),
    lambda e, r: L.ContrastiveLoss(reducer=mean)(e, LABELS, ref_emb=r, ref_labels=reference_labels),
)
metric(
    "snrContrastive",
    L.SignalToNoiseRatioContrastiveLoss(distance=distances.SNRDistance(normalize_embeddings=False), neg_margin=2, reducer=mean),
)
metric("tripletLoss", L.TripletMarginLoss(margin=0.2, reducer=mean))
metric("tripletLoss squared swap", L.TripletMarginLoss(margin=0.2, swap=True, distance=lp(power=2), reducer=mean))
metric("tripletLoss smooth", L.TripletMarginLoss(margin=0.2, smooth_loss=True, reducer=mean))
# One minus the cosine, as a distance: pytorch-metric-learning's similarity with its margin turned round is the same.
metric("tripletLoss cosine", L.TripletMarginLoss(margin=0.2, distance=distances.CosineSimilarity(), reducer=mean))
metric("nPairs", L.NPairsLoss(distance=distances.DotProductSimilarity(normalize_embeddings=False), reducer=mean))
metric(
    "nPairs perAnchor",
    L.NPairsLoss(distance=distances.DotProductSimilarity(normalize_embeddings=False), reducer=reducers.PerAnchorReducer()),
)
metric("liftedStructure", L.LiftedStructureLoss(reducer=mean))
metric("generalizedLiftedStructure", L.GeneralizedLiftedStructureLoss(reducer=mean))
metric("multiSimilarity", L.MultiSimilarityLoss(reducer=mean))
metric("circle", L.CircleLoss(reducer=mean))
metric("margin", L.MarginLoss(reducer=mean))
metric("nca", L.NCALoss(reducer=mean))
metric("nca scale", L.NCALoss(softmax_scale=3, reducer=mean))
metric("angular", L.AngularLoss(reducer=mean))
metric("fastAP", L.FastAPLoss(reducer=mean))
metric("rankedList", L.RankedListLoss(margin=0.4, Tn=10, reducer=mean))
metric("tupletMargin", L.TupletMarginLoss(reducer=mean))
metric("ntXentFromLabels", L.NTXentLoss(temperature=0.07, reducer=mean))
# Two triplets of one anchor and one negative: the negative counts twice.
TRIPLETS = (torch.tensor([0, 0, 1, 0]), torch.tensor([2, 5, 4, 5]), torch.tensor([1, 1, 3, 6]))
metric(
    "ntXentFromLabels repeated negatives", None,
    f=lambda e: L.NTXentLoss(temperature=0.07, reducer=mean)(e, LABELS, indices_tuple=TRIPLETS),
)
metric("supCon", L.SupConLoss(temperature=0.1, reducer=mean))


def with_weights(loss, attribute, to_theirs):
    def f(e, w):
        delattr(loss, attribute)
        setattr(loss, attribute, to_theirs(w))
        return loss(e, LABELS)

    return f


as_columns = lambda w: w.reshape(-1, 5).T
sizes = dict(num_classes=3, embedding_size=5, reducer=mean)
pair = ("x", "proxies")
metric(
    "normalizedSoftmax", None, pair,
    with_weights(L.NormalizedSoftmaxLoss(**sizes), "W", as_columns),
)
metric("arcFace", None, pair, with_weights(L.ArcFaceLoss(**sizes, scale=8), "W", as_columns))
metric("arcFace wide", None, pair, with_weights(L.ArcFaceLoss(**sizes, margin=100, scale=8), "W", as_columns))
metric("cosFace", None, pair, with_weights(L.CosFaceLoss(**sizes, scale=8), "W", as_columns))
metric(
    "subCenterArcFace", None, ("x", "centers"),
    with_weights(L.SubCenterArcFaceLoss(**sizes, scale=8, sub_centers=2), "W", as_columns),
)
metric("proxyNCA", None, pair, with_weights(L.ProxyNCALoss(**sizes), "proxies", lambda w: w))
metric(
    "proxyAnchor", None, pair,
    with_weights(L.ProxyAnchorLoss(num_classes=3, embedding_size=5), "proxies", lambda w: w),
)
metric(
    "softTriple", None, ("x", "centers"),
    with_weights(L.SoftTripleLoss(**sizes, centers_per_class=2), "fc", as_columns),
)

record("decoupled", ["a", "b"], DCLLoss(temperature=0.1))
record("decoupled weighted", ["a", "b"], DCLWLoss(temperature=0.1, sigma=0.5))
record("vicReg", ["a", "b"], VICRegLoss())
record("barlowTwins", ["a", "b"], BarlowTwinsLoss())
record("negativeCosine", ["a", "b"], NegativeCosineSimilarity())
record("koLeo", ["x"], KoLeoLoss())
record("mmcr", ["views"], lambda z: MMCRLoss(lmda=0.3)(z[:, :2], z[:, 2:]))


def tico(za, zb):
    loss = TiCoLoss()
    loss.C = inputs["covariance"]
    return loss(za, zb)


record("tiCo", ["a", "b"], tico)
record("swav", ["a", "b"], lambda p, q: SwaVLoss()([p, q], []))
record("swav lowResolution", ["a", "b"], lambda p, q: SwaVLoss()([p], [q]))


def dino(p, q):
    loss = DINOLoss(output_dim=5)
    loss.center = inputs["center"].reshape(1, 1, 5)
    return loss([inputs["b"], inputs["a"]], [p, q], teacher_temp=0.07)


record("dino", ["a", "b"], dino)


def sigreg(rows):
    module = SIGReg(num_vectors=7)
    module._generate_unit_vectors = lambda *_, **__: inputs["directions"] / inputs["directions"].norm(dim=0)
    return module(rows)


def lejepa(p, q):
    every = torch.stack([p, q])
    return 0.05 * sigreg(every) + 0.95 * lejepa_invariance_loss(all_proj=every, global_proj=p[None])


record("sigReg", ["x"], lambda rows: sigreg(rows[None]))
record("leJEPA", ["a", "b"], lejepa)


def debiased(p, q, temperature, prior, beta):
    """The authors' code (chingyaoc/DCL and joshr17/HCL), with both views as anchors."""
    n = len(p)
    out = torch.nn.functional.normalize(torch.cat([p, q]), dim=1)
    every = torch.exp(out @ out.T / temperature)
    mask = ~torch.eye(n, dtype=torch.bool).repeat(2, 2)
    negative = every[mask].view(2 * n, -1)
    positive = torch.exp((out[:n] * out[n:]).sum(1) / temperature).repeat(2)
    count = 2 * n - 2
    importance = (beta * negative.log()).exp()
    reweighted = (importance * negative).sum(1) / importance.mean(1)
    g = (-prior * count * positive + reweighted) / (1 - prior)
    g = torch.clamp(g, min=count * np.e ** (-1 / temperature))
    return -torch.log(positive / (positive + g)).mean()


record("debiased", ["a", "b"], lambda p, q: debiased(p, q, 0.5, 0.1, 0))
record("hardNegative", ["a", "b"], lambda p, q: debiased(p, q, 0.5, 0.1, 1))
record("hardNegative strong", ["a", "b"], lambda p, q: debiased(p, q, 0.2, 0.3, 2.5))


def alignment(p, q):
    return (torch.nn.functional.normalize(p) - torch.nn.functional.normalize(q)).norm(dim=1).pow(3).mean()


def uniformity(rows):
    """The paper's own code, torch.pdist over each pair once."""
    return torch.pdist(torch.nn.functional.normalize(rows)).pow(2).mul(-2).exp().mean().log()


record("alignment cubed", ["a", "b"], alignment)
record("uniformity", ["x"], uniformity)

M = miners
listed = lambda chosen: [indices.tolist() for indices in chosen]
mined = {
    "batchHard": listed(M.BatchHardMiner()(x, LABELS)),
    "batchEasyHard easy semihard": listed(M.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="semihard")(x, LABELS)),
    "batchEasyHard semihard hard": listed(M.BatchEasyHardMiner(pos_strategy="semihard", neg_strategy="hard")(x, LABELS)),
    "batchEasyHard all hard": listed(M.BatchEasyHardMiner(pos_strategy="all", neg_strategy="hard")(x, LABELS)),
    "batchEasyHard easy all": listed(M.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="all")(x, LABELS)),
    "batchEasyHard all all": listed(M.BatchEasyHardMiner(pos_strategy="all", neg_strategy="all")(x, LABELS)),
    "pairMarginMiner": listed(M.PairMarginMiner(pos_margin=0.9, neg_margin=1.2)(x, LABELS)),
    "multiSimilarityMiner": listed(M.MultiSimilarityMiner()(x, LABELS)),
    "angularMiner": listed(M.AngularMiner(angle=35)(torch.nn.functional.normalize(x), LABELS)),
    **{
        f"tripletMarginMiner {kind}": listed(M.TripletMarginMiner(margin=0.2, type_of_triplets=kind)(x, LABELS))
        for kind in ("all", "hard", "semihard", "easy")
    },
}

golden = {
    "labels": LABELS.tolist(),
    "referenceLabels": reference_labels.tolist(),
    "inputs": {name: {"shape": list(t.shape), "values": t.flatten().tolist()} for name, t in inputs.items()},
    "sinkhorn": sinkhorn(x).flatten().tolist(),
    "cases": cases,
    "mined": mined,
}
FILE.write_text(json.dumps(golden))
