import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { SiglipTokenizer } from "./siglip-tokenizer.js";

const fixtures = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const json = async (name: string) => JSON.parse(await readFile(fixtures(name), "utf8"));
const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "siglip-tokenizer-"));
  folders.push(folder);
  return folder;
}

describe.each(["siglip-tokenizer", "siglip2-tokenizer"])("SiglipTokenizer of %s", (name) => {
  it("gives the ids of 1,000 texts that the tokenizers library gives", async () => {
    const strings = (await json(`${name}/strings.json`)) as [string, number[]][];
    const tokenizer = await SiglipTokenizer.fromPretrained(fixtures(name));
    expect(strings.length).toBe(1000);
    const different = strings.flatMap(([text, expected]) => {
      const ids = Array.from(tokenizer.encodeRows([text], { maxLength: 400, padding: "longest" })[0]!);
      return String(ids) === String(expected) ? [] : [{ text, ids: String(ids), expected: String(expected) }];
    });
    expect(different).toEqual([]);
  });
});

describe("SiglipTokenizer", () => {
  it("fills up to the model's length by the folder's tokens", async () => {
    const siglip = await SiglipTokenizer.fromPretrained(fixtures("siglip-tokenizer"));
    expect([siglip.bosTokenId, siglip.eosTokenId, siglip.padTokenId, siglip.modelMaxLength]).toEqual([
      undefined,
      1,
      1,
      64,
    ]);
    expect(siglip.vocabSize).toBe(873);
    const row = Array.from(siglip.encodeRows(["a photo"])[0]!);
    expect(row.length).toBe(64);
    expect(row.slice(2)).toEqual(Array(62).fill(1));
    const siglip2 = await SiglipTokenizer.fromPretrained(fixtures("siglip2-tokenizer"));
    expect([siglip2.eosTokenId, siglip2.padTokenId]).toEqual([1, 0]);
    expect(siglip2.decode(siglip2.encodeRows(["A photo of a 😀"])[0]!)).toBe("a photo of a 😀");
  });

  // tools/reference/siglip_tokenizer.py wrote the ids of transformers 5.24.0's Siglip2Tokenizer.
  it.each([{ tokenizer_class: "Siglip2Tokenizer", do_lower_case: null }, { do_lower_case: true }])(
    "lower-cases where the settings say so and tokenizer.json has no such step: %j",
    async (settings) => {
      const folder = await emptyFolder();
      const file = await json("siglip2-tokenizer/tokenizer.json");
      const normalizer = { type: "Replace", pattern: { String: " " }, content: "▁" };
      await writeFile(join(folder, "tokenizer.json"), JSON.stringify({ ...file, normalizer }));
      const config = await json("siglip2-tokenizer/tokenizer_config.json");
      const write = (other: object) =>
        writeFile(join(folder, "tokenizer_config.json"), JSON.stringify({ ...config, ...other }));
      await write(settings);
      const tokenizer = await SiglipTokenizer.fromPretrained(folder);
      for (const [text, ids] of (await json("siglip2-tokenizer/lower-case.json")) as [string, number[]][])
        expect([...tokenizer.tokenize(text), tokenizer.eosTokenId], text).toEqual(ids);
      await write({ do_lower_case: null });
      const cased = await SiglipTokenizer.fromPretrained(folder);
      expect(cased.tokenize("Hello")).not.toEqual(cased.tokenize("hello"));
    },
  );

  // AutoTokenizer of transformers 5.24.0 on the same settings, padded to 8.
  it.each([
    ["GemmaTokenizer", null, "left"],
    ["GemmaTokenizerFast", undefined, "left"],
    ["Siglip2Tokenizer", undefined, "left"],
    ["Siglip2Tokenizer", "right", "right"],
    ["PreTrainedTokenizerFast", undefined, "right"],
    [undefined, undefined, "right"],
  ] as const)("pads where the class %s with padding_side %s does: %s", async (name, side, expected) => {
    const folder = await emptyFolder();
    await copyFile(fixtures("siglip2-tokenizer/tokenizer.json"), join(folder, "tokenizer.json"));
    const config = await json("siglip2-tokenizer/tokenizer_config.json");
    const settings = { ...config, tokenizer_class: name, padding_side: side };
    await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify(settings));
    const tokenizer = await SiglipTokenizer.fromPretrained(folder);
    const [row] = tokenizer.encodeRows(["hello"], { maxLength: 8 });
    expect(Array.from(row!)).toEqual(
      expected === "left" ? [0, 0, 0, 0, 0, 615, 284, 1] : [615, 284, 1, 0, 0, 0, 0, 0],
    );
  });

  it("needs neither steps nor a decoder, and names the library's own error", async () => {
    const { model } = await json("siglip2-tokenizer/tokenizer.json");
    const specials = { eosToken: "<eos>", padToken: "<pad>" };
    const plain = new SiglipTokenizer({ model }, specials);
    expect(plain.encodeRows(["a"], { maxLength: 4 })[0]).toHaveLength(4);
    expect(() => new SiglipTokenizer({ model: { ...model, merges: [3] } }, specials)).toThrow(
      /^SiglipTokenizer: tokenizer\.json cannot be read \(/,
    );
  });

  it.each(["siglip-tokenizer", "siglip2-tokenizer"])(
    "cuts a text of any length as it cuts its beginning: %s",
    async (name) => {
      const tokenizer = await SiglipTokenizer.fromPretrained(fixtures(name));
      const rows = tokenizer.encodeRows(["hello world ".repeat(100_000), "hello world ".repeat(500)]);
      expect(rows[0]).toEqual(rows[1]);
      const long = tokenizer.encodeRows(["a photo of two dogs ".repeat(10_000)], { maxLength: 9000 });
      expect(long[0]).toEqual(
        tokenizer.encodeRows(["a photo of two dogs ".repeat(5_000)], { maxLength: 9000 })[0],
      );
      // A character that is none counts also behind the cut.
      expect(() => tokenizer.encodeRows([`${"hello world ".repeat(3000)}\ud800`])).toThrow(
        "half of a surrogate pair",
      );
    },
  );

  it("names a text that is too long to tokenize whole", async () => {
    const tokenizer = await SiglipTokenizer.fromPretrained(fixtures("siglip-tokenizer"));
    expect(() => tokenizer.tokenize("hello world ".repeat(100_000))).toThrow(
      "SiglipTokenizer: a text of 1200000 characters is too long",
    );
  });

  it("says what to do with a sentencepiece model alone", async () => {
    const folder = await emptyFolder();
    await expect(SiglipTokenizer.fromPretrained(folder)).rejects.toThrow(
      /expected tokenizer\.json in .*, but it does not exist$/,
    );
    await writeFile(join(folder, "spiece.model"), "x");
    await expect(SiglipTokenizer.fromPretrained(folder)).rejects.toThrow(
      /does not exist; spiece\.model is not read: copy the tokenizer\.json of the same model/,
    );
  });

  it("has a special token as tokenizer.json describes it, and else as the map does", async () => {
    const folder = await emptyFolder();
    const file = await json("siglip-tokenizer/tokenizer.json");
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(file));
    // The file's own </s> swallows white space beside it; the map's would not.
    const map = { eos_token: { content: "</s>", lstrip: false, rstrip: false }, mask_token: "s" };
    await writeFile(join(folder, "special_tokens_map.json"), JSON.stringify(map));
    const tokenizer = await SiglipTokenizer.fromPretrained(folder);
    const plain = await SiglipTokenizer.fromPretrained(fixtures("siglip-tokenizer"));
    expect(tokenizer.tokenize("a </s> b")).toEqual(plain.tokenize("a </s> b"));
    // A piece that the map calls special is found whole.
    const id = file.model.vocab.findIndex(([piece]: [string]) => piece === "s");
    expect(tokenizer.tokenize("cats")).toContain(id);
    expect(tokenizer.decode([id])).toBe("");
    expect(plain.decode([id])).toBe("s");
  });

  it("refuses an expression that could take for ever", async () => {
    const file = await json("siglip-tokenizer/tokenizer.json");
    file.normalizer.normalizers[2].pattern = { Regex: "(\\s+)+x" };
    expect(() => new SiglipTokenizer(file)).toThrow(
      'SiglipTokenizer: tokenizer.json: normalizer: a group is repeated, which could take for ever; got "(\\\\s+)+x"',
    );
  });

  it("names special tokens that are missing, and unknown options", async () => {
    const file = await json("siglip-tokenizer/tokenizer.json");
    expect(() => new SiglipTokenizer(file, { padToken: "<nothing>" })).toThrow(
      'SiglipTokenizer: padToken "<nothing>" is not in the vocabulary of 873 pieces',
    );
    expect(() => new SiglipTokenizer(file, { eosToken: "a" })).toThrow(
      'SiglipTokenizer: eosToken must be "</s>", which tokenizer.json puts after every text, got "a"',
    );
    const bare = { ...file, post_processor: null };
    expect(new SiglipTokenizer(bare, { eosToken: "a" }).eosTokenId).not.toBe(1);
    expect(new SiglipTokenizer(bare).eosTokenId).toBe(1);
    expect(() => new SiglipTokenizer(file, { bosToken: "</s>" } as never)).toThrow(
      /unknown option "bosToken"/,
    );
    const twice = { id: 5, content: "</s>", special: true, normalized: false, lstrip: false, rstrip: false };
    expect(() => new SiglipTokenizer(file, { addedTokens: [twice] })).toThrow(
      /^SiglipTokenizer: token "<\/s>" must have one id, got 1 and 5/,
    );
    const folder = await emptyFolder();
    await copyFile(fixtures("siglip-tokenizer/tokenizer.json"), join(folder, "tokenizer.json"));
    await writeFile(join(folder, "tokenizer_config.json"), '{"sp_model_kwargs": {"enable_sampling": true}}');
    await expect(SiglipTokenizer.fromPretrained(folder)).rejects.toThrow(
      /sp_model_kwargs: changes the result/,
    );
  });
});
