"""Golden ids of transformers' CLIPTokenizer with a small vocabulary.

Writes packages/encoders/fixtures/clip-tokenizer/: vocab.json and merges.txt (a byte-level BPE with the end-of-word
suffix </w>, in the order OpenAI's vocabulary has: 256 bytes, 256 bytes with the suffix, merges, two special tokens),
the two configuration files, the same as one tokenizer.json, and golden.json with the ids of many strings, padded with <|endoftext|> (Stable
Diffusion 1.x) and with "!" (Stable Diffusion 2.x).

Writes strings.json there: 1,000 random texts with their ids, without padding; and added.json: folders with tokens outside the vocabulary,
in the forms in which transformers has saved them over the years, with the ids of texts that hold such tokens.

Run: python tools/reference/clip_tokenizer.py
"""

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import regex
from random_texts import random_texts
from transformers import AddedToken, CLIPTokenizer

FIXTURES = Path(__file__).resolve().parents[2] / "packages/encoders/fixtures/clip-tokenizer"
MERGES = 300
START, END = "<|startoftext|>", "<|endoftext|>"

CORPUS = """
a photo of a cat. a photo of a dog. a photograph of an astronaut riding a horse. an oil painting of the sea at
sunset, highly detailed. grinning face with smiling eyes. flag: japan. keycap: 10. woman's clothes; man's shoe.
don't, can't, it's, we're, they've, I'm, she'll, he'd. the quick brown fox jumps over the lazy dog. diffusion
contrastive reconstruction of balanced visual representations. red heart, blue heart, green heart, person running.
naïve café über straße señor. two hands, three leaves, four seasons: spring, summer, autumn and winter.
"""

TEXTS = [
    "",
    "a photo of a cat",
    "A Photo Of A CAT.",
    "a photograph of an astronaut riding a horse",
    "  leading,   inner \t and \n trailing whitespace   ",
    "don't can't it's we're they've I'm she'll he'd",
    "DON'T IT'S",
    "woman's clothes; man's shoe!",
    "hello!",
    "!!! wow !!!",
    "keycap: 10, 2026-08-01, 3.14159",
    "x1y22z333",
    "naïve café über straße Señor",
    "cafe\u0301 (decomposed accent)",
    "Ελληνικά και русский текст",
    "日本語のテキスト",
    "한국어 텍스트",
    "عربى",
    "😀 grinning face 👩‍👩‍👧 family",
    "flag 🇯🇵 and heart ❤️",
    "tabs\tand\u00a0no-break\u2003em space",
    "(parentheses) [brackets] {braces} <angle>",
    "https://example.org/a?b=c&d=%20e#f",
    "e=mc² ½ ① Ⅳ",
    "<|startoftext|> inside <|endoftext|> text",
    "snake_case and kebab-case and CamelCase",
    "'quoted' \"double\" `back`",
    "ﬁ ligature İstanbul ẞ",
    "zzzzzzzzqqqqqqqqxxxxxxxx",
    "the quick brown fox jumps over the lazy dog " * 12,
    "-" * 200,
    "a",
]


def bytes_to_unicode():
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    characters = list(visible)
    extra = 0
    for byte in range(256):
        if byte not in visible:
            visible.append(byte)
            characters.append(256 + extra)
            extra += 1
    return dict(zip(visible, map(chr, characters)))


def train(text):
    table = bytes_to_unicode()
    pattern = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE)
    counts = Counter()
    for word in pattern.findall(" ".join(text.lower().split())):
        symbols = [table[b] for b in word.encode("utf-8")]
        symbols[-1] += "</w>"
        counts[tuple(symbols)] += 1
    vocabulary = list(table.values()) + [c + "</w>" for c in table.values()]
    merges = []
    while len(merges) < MERGES:
        pairs = Counter()
        for word, count in counts.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        vocabulary.append("".join(best))
        merged = Counter()
        for word, count in counts.items():
            out, i = [], 0
            while i < len(word):
                if word[i : i + 2] == best:
                    out.append(word[i] + word[i + 1])
                    i += 2
                else:
                    out.append(word[i])
                    i += 1
            merged[tuple(out)] += count
        counts = merged
    return {token: i for i, token in enumerate([*vocabulary, START, END])}, merges


def write_json(path, value, indent=None):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")


def special_tokens(pad):
    return {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = train(CORPUS)
    write_json(FIXTURES / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (FIXTURES / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(FIXTURES / "special_tokens_map.json", special_tokens(END), indent=2)
    config = {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer", **special_tokens(END)}
    write_json(FIXTURES / "tokenizer_config.json", config, indent=2)

    golden = {"texts": TEXTS}
    for name, pad in [("endoftext", END), ("exclamation", "!")]:
        with tempfile.TemporaryDirectory() as folder:
            for file in ["vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"]:
                shutil.copy(FIXTURES / file, folder)
            tokenizer = CLIPTokenizer.from_pretrained(folder, pad_token=pad)
        assert tokenizer.pad_token_id == vocabulary[pad]
        for length in [77, 16]:
            ids = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=length)["input_ids"]
            golden[f"{name}{length}"] = ids
    write_json(FIXTURES / "golden.json", golden)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = CLIPTokenizer(vocabulary, merges, model_max_length=77)
        tokenizer.save_pretrained(folder)
        shutil.copy(Path(folder) / "tokenizer.json", FIXTURES / "tokenizer.json")


def strings():
    tokenizer = CLIPTokenizer.from_pretrained(FIXTURES)
    texts = random_texts(1000, [START, END, END.upper()])
    ids = tokenizer(texts)["input_ids"]
    lines = (json.dumps([text, row], ensure_ascii=False, separators=(",", ":")) for text, row in zip(texts, ids))
    (FIXTURES / "strings.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def flags(**changes):
    return {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False, **changes}


ADDED_TEXTS = [
    "a <cat-toy> b", "a<cat-toy>b", "A <CAT-TOY> B", "a <cat-toy><cat-toy>", "<cat-toy>", "cat-toy", "a < cat-toy >",
    "a <Style> b", "a <style> b", "a  <Sks>  b", "a <sks> b", "<|endoftext|> <cat-toy> <|STARTOFTEXT|>", "a <Left> b  <Right>  c",
]  # fmt: skip


def added():
    base = {name: json.loads((FIXTURES / name).read_text()) for name in ["tokenizer_config.json", "special_tokens_map.json"]}
    config = base["tokenizer_config.json"]
    vocabulary = json.loads((FIXTURES / "vocab.json").read_text())
    first = len(vocabulary)
    specials = {
        str(vocabulary[START]): {"content": START, "special": True, **flags()},
        str(vocabulary[END]): {"content": END, "special": True, **flags(normalized=False)},
    }
    modern = {
        **specials,
        str(first): {"content": "<cat-toy>", "special": False, **flags()},
        str(first + 1): {"content": "<Style>", "special": False, **flags(normalized=False)},
        str(first + 2): {"content": "<Sks>", "special": True, **flags(normalized=False, lstrip=True, rstrip=True)},
        str(first + 3): {"content": "<Left>", "special": False, **flags(lstrip=True)},
        str(first + 4): {"content": "<Right>", "special": False, **flags(rstrip=True)},
    }
    described = {
        "bos_token": {"content": START, **flags()},
        "eos_token": {"content": END, **flags()},
        "unk_token": {"content": END, **flags()},
        "pad_token": END,
    }
    folders = {
        "added_tokens.json of old": {"added_tokens.json": {"<cat-toy>": first, "<Style>": first + 1}},
        "added_tokens.json and additional_special_tokens": {
            "added_tokens.json": {"<cat-toy>": first, "<Sks>": first + 1},
            "special_tokens_map.json": {**described, "additional_special_tokens": ["<Sks>"]},
        },
        "added_tokens_decoder": {"tokenizer_config.json": {**config, "added_tokens_decoder": modern}},
        "special tokens described": {"special_tokens_map.json": described},
    }
    written = []
    for name, files in folders.items():
        files = {**base, **files}
        with tempfile.TemporaryDirectory() as folder:
            for file in ["vocab.json", "merges.txt"]:
                shutil.copy(FIXTURES / file, folder)
            for file, value in files.items():
                write_json(Path(folder) / file, value)
            tokenizer = CLIPTokenizer.from_pretrained(folder)
            ids = tokenizer(ADDED_TEXTS)["input_ids"]
            written.append({"name": name, "files": files, "size": len(tokenizer), "ids": ids})
            print(name, len(tokenizer), ids[:3])
    tokenizer = CLIPTokenizer.from_pretrained(FIXTURES)
    tokenizer.add_tokens(["<cat-toy>", AddedToken("<Style>", normalized=False)])
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        names = sorted(path.name for path in Path(folder).iterdir())
        files = {path.name: json.loads(path.read_text()) for path in Path(folder).glob("*.json")}
        # The vocabulary and the merges are the fixture's own.
        assert files["tokenizer.json"]["model"].pop("vocab") == vocabulary
        assert [" ".join(pair) for pair in files["tokenizer.json"]["model"].pop("merges")] == merges_of_fixture()
    ids = tokenizer(ADDED_TEXTS)["input_ids"]
    written.append({"name": "saved by transformers 5", "files": files, "size": len(tokenizer), "ids": ids})
    print("saved", names, ids[:3])
    write_json(FIXTURES / "added.json", {"texts": ADDED_TEXTS, "folders": written})


def merges_of_fixture():
    return (FIXTURES / "merges.txt").read_text().splitlines()[1:]


if __name__ == "__main__":
    main()
    strings()
    added()
