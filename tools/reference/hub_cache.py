"""The layout of huggingface_hub's cache, and a check that it uses ours.

Starts packages/tensor/test/hub-server.mjs, downloads its models with huggingface_hub and writes
packages/tensor/fixtures/hub-cache.json: each file of the cache with its length, links with their targets, refs with their text.
Then lets our resolveModel (build the package first) download the same into another cache and reads that offline with huggingface_hub,
and lets ours read Python's cache offline.

Run: python tools/reference/hub_cache.py (written with huggingface_hub 2.4.0)
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TENSOR = ROOT / "packages/tensor"
WANTED = {
    "tiny/clip": ["config.json", "vocab.json", "merges.txt", "model.safetensors"],
    "tiny/diffusion": ["model_index.json", "unet/*.json", "unet/*.safetensors", "tokenizer/*", "scheduler/*"],
}


def layout(folder):
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_symlink() or p.is_file()):
        name = path.relative_to(folder).as_posix()
        if name.startswith(".locks/") or name == "CACHEDIR.TAG" or "/trees/" in name:
            continue
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        else:
            found[name] = path.read_text() if "/refs/" in name else f"{path.stat().st_size} bytes"
    return found


def ours(endpoint, cache, offline):
    script = (
        f"import {{ resolveModel }} from '{TENSOR}/dist/index.js';"
        f"for (const id of {json.dumps(list(WANTED))}) console.log(await resolveModel(id, "
        f"{{ endpoint: '{endpoint}', cacheDir: '{cache}', localFilesOnly: {json.dumps(offline)} }}));"
    )
    done = subprocess.run(["node", "--input-type=module", "-e", script], check=True, capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if line.startswith("/")]


server = subprocess.Popen(["node", str(TENSOR / "test/hub-server.mjs")], stdout=subprocess.PIPE, text=True)
try:
    endpoint = server.stdout.readline().strip()
    os.environ.update(HF_ENDPOINT=endpoint, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1")
    from huggingface_hub import snapshot_download

    with tempfile.TemporaryDirectory() as theirs, tempfile.TemporaryDirectory() as our:
        folders = [snapshot_download(id, cache_dir=theirs, allow_patterns=files) for id, files in WANTED.items()]
        (TENSOR / "fixtures/hub-cache.json").write_text(json.dumps(layout(Path(theirs)), indent=1) + "\n")
        assert ours(endpoint, theirs, True) == folders, "ours does not find what Python cached"
        ours(endpoint, our, False)
        server.terminate()
        read = [snapshot_download(id, cache_dir=our, local_files_only=True) for id in WANTED]
        for id, folder in zip(WANTED, read):
            names = {p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file()}
            expected = {p.relative_to(theirs_).as_posix() for theirs_ in [Path(folders[list(WANTED).index(id)])] for p in theirs_.rglob("*") if p.is_file()}
            assert names == expected, (names, expected)
        print("each uses what the other cached:", *read)
finally:
    server.kill()
