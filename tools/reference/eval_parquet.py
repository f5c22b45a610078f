"""Small Parquet files in the form of the Hugging Face hub, for packages/eval: Winoground, and ARO's order task as MTEB has it.

Run from the repository's root, with pyarrow and Pillow: python3 tools/reference/eval_parquet.py
"""

import io

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

FOLDER = "packages/eval/fixtures"
# What the library `datasets` makes of an image.
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def image(name, color):
    file = io.BytesIO()
    Image.new("RGB", (4, 3), color).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": f"{name}.png"}


def write(name, columns):
    pq.write_table(pa.table(columns), f"{FOLDER}/{name}.parquet", row_group_size=2, compression="snappy")


colors = ["red", "blue", "lime", "black", "white", "yellow"]
write(
    "winoground",
    {
        "id": pa.array([0, 1, 2], pa.int32()),
        "image_0": pa.array([image(f"ex_{i}_img_0", colors[2 * i]) for i in range(3)], IMAGE),
        "image_1": pa.array([image(f"ex_{i}_img_1", colors[2 * i + 1]) for i in range(3)], IMAGE),
        "caption_0": ["an old person kisses a young person", "the taller person", "a café"],
        "caption_1": ["a young person kisses an old person", "the person taller", "café a"],
        "tag": ["Adjective-Age", "Adjective-Size", "Noun"],
        "secondary_tag": ["", "Morpheme-Level", ""],
        "num_main_preds": pa.array([1, 1, 2], pa.int32()),
        "collapsed_tag": ["Object", "Object", "Both"],
    },
)
write(
    "aro-order",
    {
        "images": pa.array([image(f"{i}", colors[i]) for i in range(3)], IMAGE),
        "correct_caption": ["a man with a hat", "two dogs run", "red bus"],
        **{f"hard_text_{k}": [f"hat {k} with a man", f"run {k} dogs two", f"bus {k} red"] for k in range(1, 5)},
    },
)
