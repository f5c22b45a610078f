"""Golden values of scikit-learn and SciPy for packages/eval.

Run from the repository's root: python3 tools/reference/eval.py
"""

import json
import pathlib

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, confusion_matrix, normalized_mutual_info_score
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

rng = np.random.default_rng(0)
clusterings = []
for n, labels, clusters in ((30, 4, 4), (50, 3, 7), (20, 6, 2), (12, 1, 3)):
    truth = rng.integers(0, labels, n)
    found = np.where(rng.random(n) < 0.6, truth % clusters, rng.integers(0, clusters, n))
    table = confusion_matrix(truth, found)
    rows, columns = linear_sum_assignment(-table)
    clusterings.append(
        {
            "labels": truth.tolist(),
            "clusters": found.tolist(),
            "nmi": normalized_mutual_info_score(truth, found),
            "acc": table[rows, columns].sum() / n,
            "ari": adjusted_rand_score(truth, found),
        }
    )
features = rng.normal(size=(40, 5)).astype(np.float32)
labels = (features[:, 0] + 0.3 * features[:, 1] > 0).astype(int)
knn = KNeighborsClassifier(1, metric="cosine", algorithm="brute")
accuracy = cross_val_score(knn, features, labels, cv=LeaveOneOut()).mean()
folder = pathlib.Path("packages/eval/fixtures")
folder.mkdir(exist_ok=True)
(folder / "golden.json").write_text(
    json.dumps({"clusterings": clusterings, "knn": {"features": features.tolist(), "labels": labels.tolist(), "accuracy": accuracy}})
)
