import { describe, expect, it } from "vitest";
import { chooseFiles } from "./choose-files.js";

const small = [
  "config.json",
  "tokenizer_config.json",
  "vocab.json",
  "merges.txt",
  "spiece.model",
  "chat_template.jinja",
];
const shards = [
  "model-00001-of-00002.safetensors",
  "model-00002-of-00002.safetensors",
  "model.safetensors.index.json",
];
const halves = [
  "model.fp16-00001-of-00002.safetensors",
  "model.fp16-00002-of-00002.safetensors",
  "model.safetensors.index.fp16.json",
];
const noise = [
  "README.md",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "flax_model.msgpack",
  ".gitattributes",
];

describe("chooseFiles", () => {
  it.each([
    ["whole weights", [...small, "model.safetensors", ...noise], {}, [...small, "model.safetensors"]],
    ["shards", [...small, ...shards, ...halves, ...noise], {}, [...small, ...shards]],
    ["a variant in shards", [...small, ...shards, ...halves], { variant: "fp16" }, [...small, ...halves]],
    ["the whole before shards", [...shards, "model.safetensors"], {}, ["model.safetensors"]],
    [
      "diffusers' names and not a checkpoint of another kind",
      ["config.json", "diffusion_pytorch_model.safetensors", "v1-5-pruned.safetensors"],
      {},
      ["config.json", "diffusion_pytorch_model.safetensors"],
    ],
    ["no weights", [...small, ...shards], { weights: false }, small],
    ["a folder without weights", ["vocab.json", ...noise], {}, ["vocab.json"]],
  ])("takes %s", (_, names, wanted, expected) => {
    expect(chooseFiles("model", names, wanted).sort()).toEqual([...expected].sort());
  });

  it("says which variants there are, and that a format is not read", () => {
    expect(() => chooseFiles("owner/name", [...small, ...halves], {})).toThrow(
      'owner/name has no weights without a variant, only "fp16"',
    );
    expect(() => chooseFiles("owner/name", [...small, ...noise], {})).toThrow(
      "owner/name has its weights only as pytorch_model.bin, which is not read; convert them once, and name the folder ./name: " +
        "python -c \"import json, huggingface_hub; f=huggingface_hub.snapshot_download('owner/name', local_dir='./name', ignore_patterns=['*.h5', '*.msgpack']); " +
        "c=json.load(open(f+'/config.json')); m=__import__('diffusers' if '_class_name' in c else 'transformers'); " +
        "getattr(m, c.get('_class_name') or c['architectures'][0]).from_pretrained(f).save_pretrained(f)\"",
    );
    expect(() => chooseFiles("owner/name/unet", [...small, ...noise], {})).toThrow(
      "snapshot_download('owner/name', local_dir='./name', ignore_patterns=['*.h5', '*.msgpack'])+'/unet'; c=json",
    );
  });
});
