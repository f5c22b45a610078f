"""Files written by Python's safetensors, for the tests of packages/tensor/src/io.

Writes packages/tensor/fixtures/safetensors/:
- dtypes.safetensors and dtypes.json: one tensor of each dtype that is read, with its values as float64.
- floats.safetensors and halves.safetensors: what this library's writer must reproduce byte for byte.
- sharded/: a model split in two, with its index, as transformers' save_pretrained lays it out.

Run: python tools/reference/safetensors_files.py
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).resolve().parents[2] / "packages/tensor/fixtures/safetensors"
(FOLDER / "sharded").mkdir(parents=True, exist_ok=True)

# Subnormals, ties to even, the largest half, what overflows it, and the values without a finite neighbour.
HARD = [0.0, -0.0, 1.0, -2.5, 1 / 3, 6e-8, 3e-8, 2.98e-8, 5.96e-8, 6.1e-5, 6.09e-5, 2049.0, 2051.0, 2047.9999, 65504.0,
        65519.996, 65520.0, -70000.0, 1e-10, float("inf"), float("-inf"), float("nan")]

floats = torch.tensor(HARD)
dtypes = {
    "f64": torch.tensor([[1 / 3, -1e300], [5e-324, 2.0**53]], dtype=torch.float64),
    "f32": floats.reshape(2, 11),
    "f16": floats.half(),
    "bf16": floats.bfloat16().reshape(11, 1, 2),
    "i64": torch.tensor([2**31 - 1, -(2**31), 0, -1]),
    "i32": torch.tensor([[2**31 - 1], [-(2**31)]], dtype=torch.int32),
    "i16": torch.tensor([-32768, 32767, 5], dtype=torch.int16),
    "i8": torch.tensor([-128, 127, 5], dtype=torch.int8),
    "u8": torch.tensor([0, 255, 5], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
    "scalar": torch.tensor(7.5),
    "empty": torch.zeros(0, 3),
}
save_file(dtypes, FOLDER / "dtypes.safetensors", metadata={"format": "pt", "note": "naïve ✓"})
values = {
    # Strings, since JSON has neither NaN nor the infinities.
    name: {"shape": list(t.shape), "values": [str(v).replace("inf", "Infinity").replace("nan", "NaN") for v in
           (t.float() if t.is_floating_point() else t.to(torch.float64)).flatten().tolist()]}
    for name, t in dtypes.items()
}
for entry in values.values():
    entry["values"] = [{"True": "1", "False": "0"}.get(v, v) for v in entry["values"]]
(FOLDER / "dtypes.json").write_text(json.dumps(values, indent=1) + "\n")

written = {"b.weight": floats.reshape(11, 2), "a.weight": torch.arange(6.0).reshape(1, 2, 3), "mask": dtypes["bool"]}
save_file(written, FOLDER / "floats.safetensors", metadata={"format": "pt"})
save_file({"b.weight": floats.half().reshape(11, 2), "a.weight": torch.arange(6.0).half().reshape(1, 2, 3)},
          FOLDER / "halves.safetensors")
save_file({"i64": torch.tensor([1, 2**31])}, FOLDER / "i64-too-large.safetensors")

parts = {"model-00001-of-00002.safetensors": {"layers.0.weight": torch.arange(4.0).reshape(2, 2)},
         "model-00002-of-00002.safetensors": {"layers.1.weight": torch.arange(4.0, 8).reshape(2, 2),
                                              "layers.1.bias": torch.tensor([1.0, -1])}}
for file, tensors in parts.items():
    save_file(tensors, FOLDER / "sharded" / file, metadata={"format": "pt"})
index = {"metadata": {"total_size": 40}, "weight_map": {name: file for file, ts in parts.items() for name in ts}}
(FOLDER / "sharded/model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
