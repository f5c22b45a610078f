import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CLIPTokenizer } from "./clip-tokenizer.js";

const fixtures = fileURLToPath(new URL("../../fixtures/clip-tokenizer", import.meta.url));
const golden = JSON.parse(await readFile(join(fixtures, "golden.json"), "utf8")) as {
  texts: string[];
  endoftext77: number[][];
  endoftext16: number[][];
  exclamation77: number[][];
  exclamation16: number[][];
};

/** A copy of the fixture that holds only some of its files, and other contents for some. */
async function folderWith(files: string[], contents: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "clip-tokenizer-"));
  folders.push(folder);
  for (const file of files) await copyFile(join(fixtures, file), join(folder, file));
  for (const [file, text] of Object.entries(contents)) await writeFile(join(folder, file), text);
  return folder;
}
const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

describe("CLIPTokenizer", () => {
  let tokenizer: CLIPTokenizer;
  let source: Record<string, unknown>;
  beforeAll(async () => {
    await tf.setBackend("cpu");
    source = JSON.parse(await readFile(join(fixtures, "tokenizer.json"), "utf8"));
    tokenizer = await CLIPTokenizer.fromPretrained(fixtures);
  });

  it("reads lengths and special tokens", () => {
    expect(tokenizer.modelMaxLength).toBe(77);
    expect([tokenizer.bosTokenId, tokenizer.eosTokenId, tokenizer.padTokenId]).toEqual([740, 741, 741]);
    expect(tokenizer.vocabSize).toBe(742);
  });

  it.each(golden.texts.map((text, index) => ({ text, index })))(
    "gives transformers' ids for $text",
    ({ text, index }) => {
      expect(Array.from(tokenizer.encodeRows([text])[0]!)).toEqual(golden.endoftext77[index]);
      expect(Array.from(tokenizer.encodeRows([text], { maxLength: 16 })[0]!)).toEqual(
        golden.endoftext16[index],
      );
    },
  );

  it("pads with ! as Stable Diffusion 2.x does, where special_tokens_map.json says so", async () => {
    const map = JSON.parse(await readFile(join(fixtures, "special_tokens_map.json"), "utf8"));
    const folder = await folderWith(["vocab.json", "merges.txt", "tokenizer_config.json"], {
      "special_tokens_map.json": JSON.stringify({ ...map, pad_token: "!" }),
    });
    const second = await CLIPTokenizer.fromPretrained(folder);
    expect(second.padTokenId).toBe(0);
    for (const length of [77, 16] as const) {
      const rows = second.encodeRows(golden.texts, { maxLength: length });
      expect(rows.map((row) => Array.from(row))).toEqual(golden[`exclamation${length}`]);
    }
  });

  it("gives tokenizer_config.json the say where it holds added_tokens_decoder", async () => {
    const config = JSON.parse(await readFile(join(fixtures, "tokenizer_config.json"), "utf8"));
    const folder = await folderWith(["vocab.json", "merges.txt", "special_tokens_map.json"], {
      "tokenizer_config.json": JSON.stringify({
        ...config,
        model_max_length: 20,
        pad_token: { __type: "AddedToken", content: "!" },
        added_tokens_decoder: {},
      }),
    });
    const other = await CLIPTokenizer.fromPretrained(folder);
    expect([other.padTokenId, other.modelMaxLength]).toEqual([0, 20]);
  });

  it("reads merges.txt with and without its version line", async () => {
    const merges = await readFile(join(fixtures, "merges.txt"), "utf8");
    const [version, ...lines] = merges.split("\n");
    expect(version).toMatch(/^#version/);
    const folder = await folderWith(["vocab.json"], { "merges.txt": lines.join("\n") });
    const other = await CLIPTokenizer.fromPretrained(folder);
    // A text of the first merge's two pieces only.
    const texts = [...golden.texts, lines[0]!.replace("</w>", "").replace(" ", "")];
    expect(other.encodeRows(texts)).toEqual(tokenizer.encodeRows(texts));
  });

  it("reads tokenizer.json only", async () => {
    const folder = await folderWith(["tokenizer.json", "tokenizer_config.json"]);
    const other = await CLIPTokenizer.fromPretrained(folder);
    const rows = other.encodeRows(golden.texts);
    expect(rows.map((row) => Array.from(row))).toEqual(golden.endoftext77);
    expect([other.vocabSize, other.padTokenId]).toEqual([742, 741]);
  });

  it("encodes to an int32 tensor that the caller owns", () => {
    const before = tf.memory().numTensors;
    const ids = tokenizer.encode(golden.texts.slice(0, 3), { maxLength: 16 });
    expect(ids.dtype).toBe("int32");
    expect(ids.arraySync()).toEqual(golden.endoftext16.slice(0, 3));
    ids.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("decodes what it encoded", () => {
    const text = "a photo of a cat and a naïve café 日本語";
    expect(tokenizer.decode(tokenizer.encodeRows([text])[0]!)).toBe(text);
    expect(tokenizer.decode(tokenizer.encodeRows([""])[0]!)).toBe("");
  });

  it("keeps the context of 77 where the folder says no limit", async () => {
    const folder = await folderWith(["vocab.json", "merges.txt"], {
      "tokenizer_config.json": '{"model_max_length": 1e30}',
    });
    expect((await CLIPTokenizer.fromPretrained(folder)).modelMaxLength).toBe(77);
  });

  it("fills up to the longest of the texts, or on the left, and refuses to cut where it is told", async () => {
    expect(
      tokenizer.encodeRows(["a", "a a a"], { padding: "longest" }).map((row) => Array.from(row)),
    ).toEqual([
      [740, 320, 741, 741, 741],
      [740, 320, 320, 320, 741],
    ]);
    // More texts than a call takes arguments.
    const many = new Array<string>(130_001).fill("a");
    expect(tokenizer.encodeRows(many, { padding: "longest" }).at(-1)).toEqual(Int32Array.of(740, 320, 741));
    const left = await CLIPTokenizer.fromPretrained(fixtures, { paddingSide: "left", padToken: "!" });
    expect(Array.from(left.encodeRows(["a"], { maxLength: 5 })[0]!)).toEqual([0, 0, 740, 320, 741]);
    expect(() => tokenizer.encodeRows(["a", "a a a"], { maxLength: 4, truncation: false })).toThrow(
      "CLIPTokenizer.encode: texts[1] must have at most 4 tokens, got 5",
    );
  });

  it("needs no more than one piece, which may have every part", () => {
    const one = { bosToken: "a", eosToken: "a", padToken: "a", unkToken: "a" };
    const tiny = new CLIPTokenizer({ vocab: { a: 0 }, merges: [] }, one);
    expect(tiny.vocabSize).toBe(1);
    expect(tiny.encodeRows(["a b"], { padding: "longest" })).toEqual([Int32Array.of(0, 0, 0, 0)]);
    const largest = { "<|startoftext|>": 0, "<|endoftext|>": 2 ** 22 - 1 };
    expect(new CLIPTokenizer({ vocab: largest, merges: [] }).vocabSize).toBe(2 ** 22);
    expect(() => new CLIPTokenizer({ vocab: { ...largest, a: 2 ** 22 }, merges: [] })).toThrow(
      'the id of "a" must be an integer, at least 0 and less than 4194304, got 4194304',
    );
    expect(() => new CLIPTokenizer({ vocab: { ...largest, a: -1 }, merges: [] })).toThrow("got -1");
  });

  it.each(["bosToken", "eosToken", "padToken", "unkToken"])(
    "takes %s from the added tokens, as they are described",
    (option) => {
      const content = "<New>";
      const described = { id: 742, content, special: false, normalized: false, lstrip: true, rstrip: false };
      const other = new CLIPTokenizer(source, { [option]: content, addedTokens: [described] });
      expect(other.tokenize("a <New>")).toEqual([320, 742]);
      expect(() => new CLIPTokenizer(source, { [option]: content })).toThrow(
        `CLIPTokenizer: ${option} "<New>" is not in the vocabulary of 742 pieces`,
      );
    },
  );

  it("decodes tokens outside the vocabulary as they are, and drops special ones", () => {
    const flags = { lstrip: false, rstrip: false };
    const vocab = { vocab: { "a</w>": 0, "<|startoftext|>": 1, "<|endoftext|>": 2 }, merges: [] };
    const added = new CLIPTokenizer(vocab, {
      addedTokens: [
        { id: 3, content: "<Cat>", special: false, normalized: false, ...flags },
        { id: 4, content: "<Mark>", special: true, normalized: false, ...flags },
      ],
    });
    expect(added.tokenize("a <Cat> <Mark> a")).toEqual([0, 3, 4, 0]);
    expect(added.decode([1, 0, 3, 4, 0, 2])).toBe("a <Cat> a");
    expect(() => added.decode([5])).toThrow(
      "CLIPTokenizer.decode: an id must be an integer, at least 0 and less than 5, got 5",
    );
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      "two tokens of one id",
      { "added_tokens.json": '{"<x>": 800, "<y>": 800}' },
      /id 800 must be one token's, got "<x>" and "<y>"/,
    ],
    [
      "a token of two ids",
      { "added_tokens.json": '{"<|endoftext|>": 800}' },
      /"<\|endoftext\|>" must have one id, got 741 and 800/,
    ],
    [
      "a single word",
      { "tokenizer_config.json": '{"added_tokens_decoder": {"800": {"content": "x", "single_word": true}}}' },
      /added_tokens_decoder\.800\.single_word: expected false, got true/,
    ],
  ])("refuses %s", async (_, contents, message) => {
    const folder = await folderWith(["vocab.json", "merges.txt"], contents);
    await expect(CLIPTokenizer.fromPretrained(folder)).rejects.toThrow(message);
  });

  it("refuses a tokenizer.json whose steps are not CLIP's", async () => {
    const file = JSON.parse(await readFile(join(fixtures, "tokenizer.json"), "utf8"));
    // This would never end on a text of many a.
    file.pre_tokenizer.pretokenizers[0].pattern = { Regex: "(a+)+b" };
    expect(() => new CLIPTokenizer(file)).toThrow(
      /^CLIPTokenizer: tokenizer\.json: pre_tokenizer\.Split must be CLIP's, .*got "\(a\+\)\+b"/,
    );
  });

  it("names what is missing or wrong", async () => {
    const missing = join(tmpdir(), "no-such-tokenizer");
    await expect(CLIPTokenizer.fromPretrained(missing)).rejects.toThrow(
      /vocab\.json and merges\.txt, or tokenizer\.json, in .*no-such-tokenizer/,
    );
    const broken = await folderWith(["merges.txt"], { "vocab.json": "{" });
    await expect(CLIPTokenizer.fromPretrained(broken)).rejects.toThrow(/vocab\.json is not valid JSON/);
    const lines = await folderWith(["vocab.json"], { "merges.txt": "#version: 0.2\na b c\n" });
    await expect(CLIPTokenizer.fromPretrained(lines)).rejects.toThrow(/two pieces .* got "a b c"/);
    await expect(CLIPTokenizer.fromPretrained(fixtures, { padToken: "<pad>" })).rejects.toThrow(
      /padToken "<pad>" is not in the vocabulary of 742 pieces/,
    );
    expect(
      () => new CLIPTokenizer({ vocab: { a: 0.5, "<|startoftext|>": 1, "<|endoftext|>": 2 }, merges: [] }),
    ).toThrow('CLIPTokenizer: the id of "a" must be an integer, at least 0 and less than 4194304, got 0.5');
    await expect(CLIPTokenizer.fromPretrained(fixtures, { paddingSide: "both" as "left" })).rejects.toThrow(
      'CLIPTokenizer: paddingSide must be one of left, right, got "both"',
    );
    await expect(CLIPTokenizer.fromPretrained(fixtures, { padding: "left" } as never)).rejects.toThrow(
      /CLIPTokenizer\.fromPretrained: unknown option "padding"/,
    );
    expect(() => tokenizer.encodeRows(["a"], { max_length: 5 } as never)).toThrow(
      /unknown option "max_length"/,
    );
    expect(() => tokenizer.encode([])).toThrow(/non-empty array of strings, got an array of 0/);
    expect(() => tokenizer.encode(["a"], { maxLength: 1 })).toThrow(
      /maxLength must be an integer, at least 2 .* got 1/,
    );
    expect(() => tokenizer.encode([3 as unknown as string])).toThrow(/texts\[0\] must be a string, got 3/);
  });
});
