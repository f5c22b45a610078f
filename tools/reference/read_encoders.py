"""Has transformers read the folders that write_encoders.mjs wrote: no weight missing, none unexpected, and the same features.

Prints the relative error of each; fails above 1e-5. A CLIPModel's folder is read as CLIPVisionModelWithProjection too. Has peft read
the adapters beside each folder as well: every tensor is taken, and the features are the same.

Run: node tools/reference/write_encoders.mjs FOLDER && python tools/reference/read_encoders.py FOLDER
"""

import sys
from pathlib import Path

import torch
import transformers
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file

FOLDER = Path(sys.argv[1])
READERS = {"CLIPModel": ["CLIPModel", "CLIPVisionModelWithProjection"]}


def feature(model, kind, x):
    if hasattr(model, "get_image_features"):
        return (model.get_image_features if kind == "image" else model.get_text_features)(x).pooler_output
    output = model(x)
    return getattr(output, f"{kind}_embeds", None) if hasattr(output, f"{kind}_embeds") else output.pooler_output


def compare(model, written, what, kinds=("image", "text")):
    model.eval()
    for kind, key in [("image", "pixels"), ("text", "ids")]:
        if kind not in written or kind not in kinds:
            continue
        x = written[key].permute(0, 3, 1, 2) if kind == "image" else written[key].long()
        with torch.no_grad():
            error = (feature(model, kind, x) - written[kind]).norm() / written[kind].norm()
        print(f"{what}: {kind} {float(error):.1e}")
        assert error < 1e-5


def main():
    for file in sorted(FOLDER.glob("*.safetensors")):
        written = load_file(file)
        if file.stem.endswith("-adapter"):
            name = file.stem.removesuffix("-adapter")
            base = getattr(transformers, name).from_pretrained(FOLDER / name)
            model = PeftModel.from_pretrained(base, FOLDER / file.stem)
            saved = load_file(FOLDER / file.stem / "adapter_model.safetensors")
            assert saved.keys() == get_peft_model_state_dict(model).keys(), name
            compare(model.base_model.model, written, f"{file.stem} read by peft")
            continue
        for name in READERS.get(file.stem, [file.stem]):
            model, info = getattr(transformers, name).from_pretrained(FOLDER / file.stem, output_loading_info=True)
            whole = name == file.stem
            assert not info["missing_keys"] and not info["mismatched_keys"], (name, info)
            assert not (whole and info["unexpected_keys"]), (name, info)
            kinds = ("image", "text") if whole else ("image",)
            compare(model, written, f"{file.stem} read as {name}", kinds)


if __name__ == "__main__":
    main()
