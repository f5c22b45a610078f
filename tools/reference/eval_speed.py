"""Does the tasks of benchmarks/src/eval.mjs with scikit-learn, which its lines of input name.

benchmarks/src/eval.mjs runs it: eval_speed.py FOLDER THREADS (needs scikit-learn)
"""

import json
import os
import pathlib
import sys
import time

folder, threads = pathlib.Path(sys.argv[1]), sys.argv[2]
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = threads
# Threads that wait would take the processor from those that work, where others use the machine too.
os.environ["OMP_WAIT_POLICY"], os.environ["OPENBLAS_THREAD_TIMEOUT"] = "passive", "4"

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors


def load(name, width):
    return np.fromfile(folder / name, dtype=np.float32).reshape(-1, width)


ROWS, QUERIES, CANDIDATES = load("k-means.bin", 512), load("queries.bin", 768), load("candidates.bin", 768)


def k_means():
    fit = KMeans(100, n_init=1, random_state=0).fit(ROWS)
    return {"iterations": fit.n_iter_, "inertia": fit.inertia_}


def neighbours():
    NearestNeighbors(n_neighbors=20, metric="cosine", algorithm="brute").fit(CANDIDATES).kneighbors(QUERIES)
    return {}


def retrieval():
    """The rank of candidate i for query i: how many are as near or nearer, itself left out."""

    def ranks(distances, start):
        own = distances[np.arange(len(distances)), np.arange(start, start + len(distances))]
        return (distances <= own[:, None]).sum(1) - 1

    found = np.concatenate(list(pairwise_distances_chunked(QUERIES, CANDIDATES, reduce_func=ranks, metric="cosine")))
    return {"recall": [round(float((found < k).mean()), 6) for k in (1, 5, 10)]}


TASKS = {"k-means": k_means, "neighbours": neighbours, "retrieval": retrieval}
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    began, cpu = time.perf_counter(), time.process_time()
    told = TASKS[line.strip()]()
    seconds, processor = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "processor": processor, **told}), flush=True)
