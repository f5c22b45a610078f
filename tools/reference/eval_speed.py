"""Time of scikit-learn on one thread, on the inputs that benchmarks/src/eval.mjs wrote: python3 tools/reference/eval_speed.py"""

import os
import pathlib
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors


def load(name, width):
    return np.fromfile(pathlib.Path(tempfile.gettempdir()) / name, dtype=np.float32).reshape(-1, width)


def timed(name, f):
    began, cpu = time.perf_counter(), time.process_time()
    told = f()
    print(f"{name}: {time.perf_counter() - began:.2f} s, processor {time.process_time() - cpu:.2f} s{told}")


def k_means():
    fit = KMeans(100, n_init=1, random_state=0).fit(load("eval-k-means.bin", 512))
    return f", {fit.n_iter_} iterations, inertia {fit.inertia_:.0f}"


def search():
    neighbours = NearestNeighbors(n_neighbors=20, metric="cosine", algorithm="brute").fit(load("eval-candidates.bin", 768))
    neighbours.kneighbors(load("eval-queries.bin", 768))
    return ""


timed("k-means", k_means)
timed("20 nearest", search)
