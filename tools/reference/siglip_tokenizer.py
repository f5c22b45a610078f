"""Golden ids of SigLIP's tokenizers, with small vocabularies trained here.

Writes packages/encoders/fixtures/siglip-tokenizer/: a folder as google/siglip-* have it, a sentencepiece model converted to
tokenizer.json (Unigram; lower case, no punctuation, single spaces), with tokenizer_config.json and special_tokens_map.json; and
strings.json, 1,000 texts with their ids by the tokenizers library, which reads tokenizer.json in Python.
Prints on how many of the texts transformers' SiglipTokenizer, which reads the sentencepiece model itself, agrees.

Writes packages/encoders/fixtures/siglip2-tokenizer/: the same for a folder like google/siglip2-*'s (Gemma's BPE with bytes) with a step that
lower-cases in tokenizer.json; and lower-case.json, texts with the ids of transformers' Siglip2Tokenizer, which lower-cases without that step.

Run: python tools/reference/siglip_tokenizer.py (needs sentencepiece and protobuf)
"""

import io
import json
import shutil
import string
import tempfile
from pathlib import Path

import sentencepiece
from random_texts import random_texts
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import Siglip2Tokenizer, SiglipTokenizer
from transformers.convert_slow_tokenizer import SpmConverter

FIXTURES = Path(__file__).resolve().parents[2] / "packages/encoders/fixtures"
# Mostly Latin, so that the vocabulary has words and some characters are unknown.
SIGNS = str.maketrans("", "", string.punctuation)
CORPUS = [
    " ".join(text.lower().translate(SIGNS).split())
    for text in random_texts(6000, [], seed=9)
    if sum(c.isascii() for c in text) > 0.8 * len(text)
]


def write_json(path, value, indent=None):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")


def fresh(name):
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_strings(folder, tokenizer, specials):
    texts = random_texts(1000, specials, seed=2)
    rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    lines = (json.dumps([text, row], ensure_ascii=False, separators=(",", ":")) for text, row in zip(texts, rows))
    (folder / "strings.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    return texts, rows


class SiglipConverter(SpmConverter):
    """The steps of SiglipTokenizer.canonicalize_text, then sentencepiece's own."""

    def normalizer(self, proto):
        steps = [
            normalizers.Lowercase(),
            normalizers.Replace(Regex("[" + "".join(f"\\{sign}" for sign in string.punctuation) + "]"), ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
        if proto.normalizer_spec.precompiled_charsmap:
            steps.append(normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap))
        return normalizers.Sequence(steps)

    def post_processor(self):
        return processors.TemplateProcessing(single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", 1)])


def siglip():
    folder = fresh("siglip-tokenizer")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=1000, model_type="unigram", pad_id=0, eos_id=1, unk_id=2,
        bos_id=-1, character_coverage=0.98, minloglevel=2, normalization_rule_name="identity", hard_vocab_limit=False,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "spiece.model"
        file.write_bytes(model.getvalue())
        slow = SiglipTokenizer(str(file))
        tokenizer = SiglipConverter(slow).converted()
    flags = {"lstrip": True, "normalized": False, "rstrip": True, "single_word": False, "special": True}
    definition = json.loads(tokenizer.to_str())
    definition["added_tokens"] = [{"id": 1, "content": "</s>", **flags}, {"id": 2, "content": "<unk>", **flags}]
    for piece in definition["model"]["vocab"]:
        piece[1] = round(piece[1], 5)
    write_json(folder / "tokenizer.json", definition)
    special = {"content": "</s>", **{key: value for key, value in flags.items() if key != "special"}}
    unknown = {**special, "content": "<unk>"}
    write_json(folder / "special_tokens_map.json", {"eos_token": special, "pad_token": special, "unk_token": unknown}, 2)
    write_json(
        folder / "tokenizer_config.json",
        {
            "added_tokens_decoder": {"1": {"content": "</s>", **flags}, "2": {"content": "<unk>", **flags}},
            "additional_special_tokens": [], "clean_up_tokenization_spaces": True, "do_lower_case": True, "eos_token": "</s>",
            "model_input_names": ["input_ids"], "model_max_length": 64, "pad_token": "</s>", "processor_class": "SiglipProcessor",
            "sp_model_kwargs": {}, "tokenizer_class": "SiglipTokenizer", "unk_token": "<unk>",
        },
        2,
    )  # fmt: skip
    texts, rows = write_strings(folder, Tokenizer.from_file(str(folder / "tokenizer.json")), ["</s>"])
    # transformers' own tokenizer begins a text whose first word is a sign with one more "▁", and sets none after a special token.
    agree = [slow(text)["input_ids"] == row for text, row in zip(texts, rows) if "</s>" not in text and text[0].isalnum()]
    print("siglip: of texts without special tokens that begin with a letter, transformers agrees on", sum(agree), "of", len(agree))


def siglip2():
    folder = fresh("siglip2-tokenizer")
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern=" ", behavior="merged_with_previous", invert=False)
    specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=specials + bytes_, limit_alphabet=200, show_progress=False, max_token_length=12)
    tokenizer.train_from_iterator(CORPUS, trainer)
    definition = json.loads(tokenizer.to_str())
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    definition["added_tokens"] = [{"id": index, "content": content, **flags} for index, content in enumerate(specials)]
    definition["decoder"] = json.loads(decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]).__getstate__())
    definition["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<eos>", "type_id": 0}}],
        "pair": [
            {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<eos>", "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "<eos>", "type_id": 1}},
        ],
        "special_tokens": {"<eos>": {"id": "<eos>", "ids": [1], "tokens": ["<eos>"]}},
    }  # fmt: skip
    write_json(folder / "tokenizer.json", definition)
    write_json(
        folder / "tokenizer_config.json",
        {
            "add_bos_token": False, "add_eos_token": True, "added_tokens_decoder": {str(index): {"content": content, **flags} for index, content in enumerate(specials)},
            "bos_token": "<bos>", "clean_up_tokenization_spaces": False, "do_lower_case": True, "eos_token": "<eos>", "extra_special_tokens": {},
            "model_input_names": ["input_ids"], "model_max_length": 64, "pad_token": "<pad>", "padding_side": "right",
            "processor_class": "SiglipProcessor", "sp_model_kwargs": {}, "spaces_between_special_tokens": False,
            "tokenizer_class": "GemmaTokenizer", "unk_token": "<unk>", "use_default_system_prompt": False,
        },
        2,
    )  # fmt: skip
    write_strings(folder, Tokenizer.from_file(str(folder / "tokenizer.json")), ["<bos>"])
    print("siglip2: written")


def siglip2_without_step():
    """The folder without the step, as GemmaTokenizer.save_pretrained writes it, read by the class that lower-cases always."""
    source = FIXTURES / "siglip2-tokenizer"
    definition = json.loads((source / "tokenizer.json").read_text())
    definition["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    with tempfile.TemporaryDirectory() as folder:
        write_json(Path(folder) / "tokenizer.json", definition)
        config = json.loads((source / "tokenizer_config.json").read_text())
        write_json(Path(folder) / "tokenizer_config.json", {**config, "tokenizer_class": "Siglip2Tokenizer"})
        tokenizer = Siglip2Tokenizer.from_pretrained(folder)
        texts = ["Hello World", "hello world", "A PHOTO of a Cat", "ÉTÉ Straße İ", "<bos>Two  Dogs", ""]
        write_json(source / "lower-case.json", [[text, tokenizer(text)["input_ids"]] for text in texts], 1)


if __name__ == "__main__":
    siglip()
    siglip2()
    siglip2_without_step()
