"""A safetensors file of features in each float type, as Python writes it, for packages/eval.

Run from the repository's root: python3 tools/reference/eval_features.py
"""

import json

import torch
from safetensors.torch import save_file

# Numbers that every type holds.
rows = torch.tensor([[1.5, -2.0, 0.25], [0.0, 96.0, -0.75]])
types = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16}
tensors = {name: rows.to(dtype) for name, dtype in types.items()}
tensors["int64"] = torch.tensor([[1, -2, 3], [4, 5, -6]])
save_file(
    {**tensors, "one axis": torch.ones(3)},
    "packages/eval/fixtures/features.safetensors",
    metadata={"names": json.dumps(["a/1.png", "b/2.png"])},
)
