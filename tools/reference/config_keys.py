"""The keys that transformers and diffusers write into configuration files, with their defaults.

Writes packages/tensor/src/pretrained/transformers-keys.ts (the keys that every transformers configuration has, of PretrainedConfig and
GenerationConfig) and fixtures/config-keys.json of packages/encoders and packages/diffusion (every key of each class that has a reader,
with its default). Readers' tests go through those lists, so that no key is forgotten. Writes
packages/encoders/src/tokenizer/tokenizer-call-keys.ts: what a tokenizer's calls take, which transformers keeps in tokenizer_config.json.

Older versions wrote keys that newer ones do not know. Each argument is a folder with another version of transformers:
    pip install --no-deps --target OLD transformers==4.30.2 tokenizers==0.13.3 'huggingface_hub<0.20'

Run: python tools/reference/config_keys.py OLD (written with transformers 5.24.0 and 4.30.2, diffusers 0.42.1)
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERIC = """
import json, transformers
from transformers import GenerationConfig, PretrainedConfig
keys = {**PretrainedConfig().to_dict(), **GenerationConfig().to_dict()}
print(json.dumps([transformers.__version__, sorted(key for key in keys if not key.startswith("_"))]))
"""
# Keys that say which model, or how its weights lie in the file: each reader decides about them.
NOT_GENERIC = {"model_type", "pruned_heads", "quantization_config"}
# Read in old files, although no class of the two versions writes them.
ALSO = ["attn_implementation", "cross_attention_hidden_size", "torch_dtype", "xla_device", "gradient_checkpointing"]


def generic_keys(folder):
    environment = {**os.environ, **({"PYTHONPATH": folder} if folder else {})}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", GENERIC], env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def write_generic_keys():
    found = [generic_keys(folder) for folder in [None, *sys.argv[1:]]]
    keys = sorted({key for _, names in found for key in names} - NOT_GENERIC | set(ALSO))
    versions = " and ".join(version for version, _ in found)
    lines = [
        "// Written by tools/reference/config_keys.py; do not edit.",
        "",
        "/**",
        " * Keys that every transformers configuration may have and that do not change what an encoder computes: settings of text",
        f" * generation, of label heads and of what a Python call returns. Taken from transformers {versions}.",
        " */",
        "export const transformersKeys: readonly string[] = [",
        *[f'  "{key}",' for key in keys],
        "];",
        "",
    ]
    (ROOT / "packages/tensor/src/pretrained/transformers-keys.ts").write_text("\n".join(lines))


def defaults(instance):
    """Without infinities, which JSON does not have."""
    return {key: str(value) if value in (math.inf, -math.inf) else value for key, value in instance.items() if not key.startswith("_")}


def write_class_keys():
    import diffusers
    import transformers

    encoders = {
        name: defaults(getattr(transformers, name)().to_dict())
        for name in [
            "CLIPConfig", "CLIPTextConfig", "CLIPVisionConfig", "CLIPImageProcessor",
            "SiglipConfig", "SiglipTextConfig", "SiglipVisionConfig", "SiglipImageProcessor",
        ]
    }  # fmt: skip
    diffusion = {
        name: defaults(dict(getattr(diffusers, name)().config))
        for name in [
            "UNet2DConditionModel", "AutoencoderKL", "PixArtTransformer2DModel", "DiTTransformer2DModel", "SD3Transformer2DModel",
            "DDPMScheduler", "DDIMScheduler", "PNDMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler",
            "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
            "UniPCMultistepScheduler", "DEISMultistepScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler",
            "DDIMInverseScheduler", "DDPMParallelScheduler", "DDIMParallelScheduler", "TCDScheduler", "LCMScheduler",
            "FlowMatchEulerDiscreteScheduler",
        ]
    }  # fmt: skip
    for package, keys in [("encoders", encoders), ("diffusion", diffusion)]:
        file = ROOT / "packages" / package / "fixtures/config-keys.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(keys, indent=1, sort_keys=True, default=str) + "\n")


# Arguments that change a tokenizer itself, or that its reader has: it decides about them.
DECIDED = {"self", "padding_side", "split_special_tokens", "token", "tokenizer_file"}


def write_tokenizer_keys():
    import inspect

    import transformers
    from transformers import PreTrainedTokenizerBase

    methods = ["__call__", "from_pretrained", "pad", "encode", "apply_chat_template"]
    keys = {"from_slow"} | {
        name
        for method in methods
        for name, argument in inspect.signature(getattr(PreTrainedTokenizerBase, method)).parameters.items()
        if argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
    }
    lines = [
        "// Written by tools/reference/config_keys.py; do not edit.",
        "",
        "/**",
        " * Arguments of calls of a Python tokenizer, which transformers keeps in tokenizer_config.json where `from_pretrained` was given them,",
        f" * and which do not change the tokenizer. Taken from transformers {transformers.__version__}.",
        " */",
        "export const tokenizerCallKeys: readonly string[] = [",
        *[f'  "{key}",' for key in sorted(keys - DECIDED)],
        "];",
        "",
    ]
    (ROOT / "packages/encoders/src/tokenizer/tokenizer-call-keys.ts").write_text("\n".join(lines))


if __name__ == "__main__":
    write_generic_keys()
    write_class_keys()
    write_tokenizer_keys()
