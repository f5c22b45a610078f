"""Has transformers read the folders that write_encoders.mjs wrote: no weight missing, none unexpected, and the same features.

Prints the relative error of each; fails above 1e-5. A CLIPModel's folder is read as CLIPVisionModelWithProjection too.

Run: node tools/reference/write_encoders.mjs FOLDER && python tools/reference/read_encoders.py FOLDER
"""

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

FOLDER = Path(sys.argv[1])
READERS = {"CLIPModel": ["CLIPModel", "CLIPVisionModelWithProjection"]}


def feature(model, kind, x):
    if hasattr(model, "get_image_features"):
        return (model.get_image_features if kind == "image" else model.get_text_features)(x).pooler_output
    output = model(x)
    return getattr(output, f"{kind}_embeds", None) if hasattr(output, f"{kind}_embeds") else output.pooler_output


def main():
    for file in sorted(FOLDER.glob("*.safetensors")):
        written = load_file(file)
        for name in READERS.get(file.stem, [file.stem]):
            model, info = getattr(transformers, name).from_pretrained(FOLDER / file.stem, output_loading_info=True)
            whole = name == file.stem
            assert not info["missing_keys"] and not info["mismatched_keys"], (name, info)
            assert not (whole and info["unexpected_keys"]), (name, info)
            model.eval()
            for kind, key in [("image", "pixels"), ("text", "ids")]:
                if kind not in written or (not whole and kind == "text"):
                    continue
                x = written[key].permute(0, 3, 1, 2) if kind == "image" else written[key].long()
                with torch.no_grad():
                    error = (feature(model, kind, x) - written[kind]).norm() / written[kind].norm()
                print(f"{file.stem} read as {name}: {kind} {float(error):.1e}")
                assert error < 1e-5


if __name__ == "__main__":
    main()
