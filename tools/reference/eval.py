"""Golden values of scikit-learn and SciPy for packages/eval.

Run from the repository's root: python3 tools/reference/eval.py
"""

import json
import pathlib

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

rng = np.random.default_rng(0)


def clustering(truth, found):
    table = metrics.cluster.contingency_matrix(truth, found)
    rows, columns = linear_sum_assignment(-table)
    homogeneity, completeness, v_measure = metrics.homogeneity_completeness_v_measure(truth, found)
    return {
        "labels": truth.tolist(),
        "clusters": found.tolist(),
        "nmi": metrics.normalized_mutual_info_score(truth, found),
        "acc": table[rows, columns].sum() / len(truth),
        "ari": metrics.adjusted_rand_score(truth, found),
        "ami": metrics.adjusted_mutual_info_score(truth, found),
        "homogeneity": homogeneity,
        "completeness": completeness,
        "vMeasure": v_measure,
        "vMeasureBeta": metrics.v_measure_score(truth, found, beta=0.3),
        "fowlkesMallows": metrics.fowlkes_mallows_score(truth, found),
        "purity": table.max(axis=0).sum() / len(truth),
    }


clusterings = []
for n, labels, clusters in ((30, 4, 4), (50, 3, 7), (20, 6, 2), (12, 1, 3), (40, 12, 9), (600, 20, 25), (8, 8, 8), (9, 1, 1)):
    truth = np.arange(n) if n == 8 else rng.integers(0, labels, n)
    found = np.where(rng.random(n) < 0.6, truth % clusters, rng.integers(0, clusters, n))
    clusterings.append(clustering(truth, found))

# Nearest neighbours: rows with labels, and queries with labels of their own.
features = rng.normal(size=(60, 5)).astype(np.float32)
queries = rng.normal(size=(25, 5)).astype(np.float32)
label_of = lambda x: (x[:, 0] + 0.3 * x[:, 1] > 0).astype(int) + (x[:, 2] > 0.8)
labels, query_labels = label_of(features), label_of(queries)
knn = {"features": features.tolist(), "labels": labels.tolist(), "queries": queries.tolist(), "queryLabels": query_labels.tolist()}
one = KNeighborsClassifier(1, metric="cosine", algorithm="brute")
knn["leaveOneOut"] = cross_val_score(one, features, labels, cv=LeaveOneOut()).mean()
for k in (1, 7, 20):
    for temperature in (0.07, 0.5):
        weighted = KNeighborsClassifier(
            k, metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / temperature)
        ).fit(features, labels)
        knn[f"weighted{k}at{temperature}"] = weighted.score(queries, query_labels)
neighbours = KNeighborsClassifier(4, metric="cosine", algorithm="brute").fit(features, labels).kneighbors(queries)
knn["indices"], knn["similarities"] = neighbours[1].tolist(), (1 - neighbours[0]).tolist()
knn["silhouette"] = metrics.silhouette_score(features.astype(float), labels)

# Retrieval: each query has one to three right candidates.
right = [sorted(rng.choice(60, rng.integers(1, 4), replace=False).tolist()) for _ in queries]
similarities = cosine_similarity(queries.astype(float), features.astype(float))
order = np.argsort(-similarities, axis=1)
hits = np.array([[j in right[i] for j in row] for i, row in enumerate(order)])
retrieval = {
    "right": right,
    "mAP": np.mean([metrics.average_precision_score([j in r for j in range(60)], s) for r, s in zip(right, similarities)]),
    "mrr": np.mean([1 / (np.argmax(row) + 1) for row in hits]),
    "rPrecision": np.mean([row[: len(r)].mean() for row, r in zip(hits, right)]),
    "recall": {k: np.mean(hits[:, :k].any(axis=1)) for k in (1, 5, 10)},
}

# Retrieval within one set, where no row is its own candidate.
own_order = NearestNeighbors(n_neighbors=59, metric="cosine", algorithm="brute").fit(features.astype(float)).kneighbors()[1]
own_hits = labels[own_order] == labels[:, None]
own_similarities = cosine_similarity(features.astype(float))
others = ~np.eye(60, dtype=bool)
retrieval["within"] = {
    "mAP": np.mean(
        [metrics.average_precision_score(labels[others[i]] == labels[i], own_similarities[i][others[i]]) for i in range(60)]
    ),
    "rPrecision": np.mean([row[: row.sum()].mean() for row in own_hits]),
    "recall": {k: np.mean(own_hits[:, :k].any(axis=1)) for k in (1, 5, 10)},
}

# k-means from many starts finds the best clustering of these blobs; logistic regression has one optimum.
blobs = (rng.normal(size=(120, 6)) + 3 * np.eye(6)[np.arange(120) % 6]).astype(np.float32)
k_means = {"features": blobs.tolist(), "inertia": KMeans(6, n_init=200, tol=0, random_state=0).fit(blobs.astype(float)).inertia_}
probes = []
for classes, c in ((2, 1.0), (3, 0.01), (3, 1.0), (3, 100.0)):
    y = labels % classes
    fit = LogisticRegression(C=c, tol=1e-10, max_iter=10000).fit(features.astype(float), y)
    logits = features.astype(float) @ fit.coef_.T + fit.intercept_
    if classes == 2:
        logits = np.hstack([-logits / 2, logits / 2])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    weights = fit.coef_ if classes > 2 else np.vstack([-fit.coef_ / 2, fit.coef_ / 2])
    probes.append(
        {
            "classes": classes,
            "C": c,
            "labels": y.tolist(),
            "probabilities": probabilities.tolist(),
            "weights": weights.tolist(),
            "queries": fit.predict(queries.astype(float)).tolist(),
        }
    )

folder = pathlib.Path("packages/eval/fixtures")
folder.mkdir(exist_ok=True)
(folder / "golden.json").write_text(
    json.dumps({"clusterings": clusterings, "knn": knn, "retrieval": retrieval, "kMeans": k_means, "probes": probes})
)
