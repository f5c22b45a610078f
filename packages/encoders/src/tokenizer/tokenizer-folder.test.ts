import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tokenizerCallKeys } from "./tokenizer-call-keys.js";
import { readTokenizerFolder } from "./tokenizer-folder.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tokenizer-folder-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Reads a folder of these files; objects are written as JSON. */
async function read(files: Record<string, unknown>, acceptKeys?: readonly string[]) {
  for (const [name, content] of Object.entries(files))
    await writeFile(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  const result = await readTokenizerFolder(folder, "Test", acceptKeys);
  for (const name of Object.keys(files)) await rm(join(folder, name));
  return result;
}
const config = (settings: object) => ({ "tokenizer_config.json": settings });
const plain = { lstrip: false, rstrip: false };

describe("readTokenizerFolder", () => {
  it("finds nothing in an empty folder", async () => {
    const { specials, ...rest } = await read({});
    expect(rest).toEqual({ settings: {}, definition: undefined, vocabulary: undefined, addedTokens: [] });
    expect(specials.size).toBe(0);
  });

  it("reads each setting, from texts and from descriptions", async () => {
    const names = { bos_token: "<b>", eos_token: "<e>", pad_token: "<p>", unk_token: "<u>" };
    const expected = { bosToken: "<b>", eosToken: "<e>", padToken: "<p>", unkToken: "<u>" };
    expect((await read(config(names))).settings).toEqual(expected);
    const described = Object.entries(names).map(([role, content]) => [role, { content, lstrip: true }]);
    const { settings, specials } = await read({ "special_tokens_map.json": Object.fromEntries(described) });
    expect(settings).toEqual(expected);
    expect(specials.get("<p>")).toMatchObject({ content: "<p>", lstrip: true, rstrip: false });
    expect(
      (await read(config({ bos_token: null, padding_side: null, model_max_length: null }))).settings,
    ).toEqual({});
    for (const side of ["left", "right"])
      expect((await read(config({ padding_side: side }))).settings).toEqual({ paddingSide: side });
    await expect(read(config({ padding_side: "both" }))).rejects.toThrow(
      "tokenizer_config.json: padding_side",
    );
  });

  it("takes a length below a million for a limit, and others for none", async () => {
    for (const length of [1, 77, 999_999])
      expect((await read(config({ model_max_length: length }))).settings).toEqual({ modelMaxLength: length });
    for (const none of [1e6, 1e30])
      expect((await read(config({ model_max_length: none }))).settings).toEqual({});
    for (const wrong of [0, -1, "77"])
      await expect(read(config({ model_max_length: wrong }))).rejects.toThrow("model_max_length");
  });

  it("gives the map the say over the config, but where the config has added_tokens_decoder", async () => {
    const map = { "special_tokens_map.json": { pad_token: "!", eos_token: "<map>" } };
    const own = { pad_token: "?", bos_token: "<config>" };
    const older = await read({ ...map, ...config(own) });
    expect(older.settings).toEqual({ padToken: "!", eosToken: "<map>", bosToken: "<config>" });
    const newer = await read({ ...map, ...config({ ...own, added_tokens_decoder: {} }) });
    expect(newer.settings).toEqual({ padToken: "?", eosToken: "<map>", bosToken: "<config>" });
  });

  it.each(["sep_token", "cls_token", "mask_token"])("knows %s for a special token", async (role) => {
    const { specials, settings } = await read(config({ [role]: "<x>" }));
    expect([Array.from(specials.keys()), settings]).toEqual([["<x>"], {}]);
  });

  it.each([
    ["additional_special_tokens", ["<x>", { content: "<y>", rstrip: true }]],
    ["extra_special_tokens", ["<x>", { content: "<y>", rstrip: true }]],
    ["extra_special_tokens", { image: "<x>", video: { content: "<y>", rstrip: true } }],
  ])("knows those of %s: %j", async (key, tokens) => {
    const { specials } = await read(config({ [key]: tokens }));
    expect(Array.from(specials.values())).toMatchObject([
      { content: "<x>", rstrip: false },
      { content: "<y>", rstrip: true },
    ]);
    expect((await read(config({ [key]: null }))).specials.size).toBe(0);
    // Of a token that the older file adds they say that it is special.
    const files = { ...config({ [key]: tokens }), "added_tokens.json": { "<x>": 5, "<y>": 6, "<z>": 7 } };
    expect((await read(files)).addedTokens).toEqual([
      { id: 5, content: "<x>", special: true, normalized: true, ...plain },
      { id: 6, content: "<y>", special: true, normalized: true, lstrip: false, rstrip: true },
      { id: 7, content: "<z>", special: false, normalized: true, ...plain },
    ]);
  });

  it("puts the added tokens of all files together, in order", async () => {
    const { addedTokens } = await read({
      "tokenizer.json": { added_tokens: [{ id: 1, content: "<a>", special: true }] },
      "added_tokens.json": { "<b>": 2 },
      ...config({ added_tokens_decoder: { 3: { content: "<c>", lstrip: true } } }),
    });
    expect(addedTokens).toEqual([
      { id: 1, content: "<a>", special: true, normalized: false, ...plain },
      { id: 2, content: "<b>", special: false, normalized: true, ...plain },
      { id: 3, content: "<c>", special: false, normalized: true, lstrip: true, rstrip: false },
    ]);
    for (const added_tokens of [null, undefined, []])
      expect((await read({ "tokenizer.json": { added_tokens } })).addedTokens).toEqual([]);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ "tokenizer.json": { added_tokens: [{ content: "<a>" }] } }, "tokenizer.json: added_tokens: 0.id"],
    [{ "tokenizer.json": { added_tokens: {} } }, "tokenizer.json: added_tokens: content"],
    [{ "tokenizer.json": { added_tokens: [{ id: 0, content: "" }] } }, "added_tokens: 0.content"],
    [{ "added_tokens.json": { "<a>": -1 } }, "added_tokens.json: <a>: "],
    [{ "added_tokens.json": { "<a>": 4_194_304 } }, "got 4194304"],
    [{ "added_tokens.json": { "<a>": 0.5 } }, "got 0.5"],
    [config({ added_tokens_decoder: { x: { content: "<a>" } } }), "added_tokens_decoder"],
    [config({ added_tokens_decoder: { 12345678: { content: "<a>" } } }), "added_tokens_decoder"],
    [config({ bos_token: "x".repeat(1025) }), "bos_token"],
    [config({ bos_token: { content: "x", colour: 1 } }), "bos_token"],
    [config({ additional_special_tokens: Array(100_001).fill("x") }), "additional_special_tokens"],
    [{ "special_tokens_map.json": { colour: "blue" } }, "special_tokens_map.json: colour: unknown key"],
    [{ "vocab.json": { a: 0 }, "merges.txt": "a\n" }, 'two pieces with a space between, got "a"'],
    [{ "vocab.json": { a: "0" }, "merges.txt": "a b\n" }, "vocab.json: a: "],
    [{ "vocab.json": [], "merges.txt": "a b\n" }, "vocab.json"],
  ])("refuses %j", async (files, message) => {
    await expect(read(files)).rejects.toThrow(message);
  });

  it("takes ids, texts and lists up to their bounds", async () => {
    const { addedTokens } = await read({ "added_tokens.json": { "<a>": 0, "<b>": 4_194_303 } });
    expect(addedTokens.map(({ id }) => id)).toEqual([0, 4_194_303]);
    const { settings, specials } = await read(
      config({ bos_token: "x".repeat(1024), extra_special_tokens: Array(100_000).fill("y") }),
    );
    expect([settings.bosToken?.length, specials.size]).toEqual([1024, 2]);
    const seven = await read(config({ added_tokens_decoder: { 1234567: { content: "<a>" } } }));
    expect(seven.addedTokens[0]!.id).toBe(1_234_567);
  });

  it("accepts keys by name", async () => {
    await expect(read(config({ colour: "blue" }), ["color"])).rejects.toThrow("colour: unknown key");
    await expect(read(config({ colour: "blue" }), ["colour"])).resolves.toBeDefined();
    await expect(read({ "special_tokens_map.json": { colour: 1 } }, ["colour"])).resolves.toBeDefined();
  });

  it.each<[string, unknown[], unknown[]]>([
    ["add_prefix_space", [false, null], [true]],
    ["add_bos_token", [false, null], [true]],
    ["add_eos_token", [true, null], [false]],
    ["errors", ["replace"], ["ignore"]],
    ["sp_model_kwargs", [{}, null], [{ alpha: 1 }]],
    ["split_special_tokens", [false], [true]],
    ["tokenize_chinese_chars", [true], [false]],
    ["strip_accents", [null], [true]],
    ["truncation_side", ["right", null], ["left"]],
  ])("takes %s only where it changes nothing", async (key, inside, outside) => {
    for (const value of inside) await expect(read(config({ [key]: value }))).resolves.toBeDefined();
    for (const value of outside)
      await expect(read(config({ [key]: value }))).rejects.toThrow(`${key}: changes the result`);
  });

  it("says whether texts are lower-cased", async () => {
    for (const settings of [{ do_lower_case: true }, { tokenizer_class: "Siglip2Tokenizer" }])
      expect((await read(config(settings))).settings).toMatchObject({ lowerCase: true });
    for (const settings of [{ do_lower_case: null }, { tokenizer_class: "GemmaTokenizer" }])
      expect((await read(config(settings))).settings).not.toHaveProperty("lowerCase");
    await expect(read(config({ do_lower_case: false }))).rejects.toThrow(
      "do_lower_case: expected true, got false",
    );
  });

  // CLIPTokenizer.from_pretrained(folder, padding="max_length", truncation=True, max_length=77, from_slow=True, verbose=True)
  // .save_pretrained(folder) of transformers 5.24.0 writes these.
  it("takes the arguments of Python calls, which transformers keeps", async () => {
    const kept = { from_slow: true, max_length: 77, padding: "max_length", truncation: true, verbose: true };
    const written = {
      backend: "tokenizers",
      is_local: true,
      local_files_only: false,
      model_max_length: 77,
      ...kept,
    };
    expect((await read(config(written))).settings).toEqual({ modelMaxLength: 77 });
    for (const key of tokenizerCallKeys)
      expect((await read(config({ [key]: "set" }))).settings, key).toEqual({});
  });

  // A key that nobody knows is refused where it is set.
  it.each([
    "backend",
    "chat_template",
    "clean_up_tokenization_spaces",
    "auto_map",
    "is_local",
    "legacy",
    "local_files_only",
    "max_length",
    "model_input_names",
    "model_specific_special_tokens",
    "name_or_path",
    "pad_to_multiple_of",
    "pad_token_type_id",
    "processor_class",
    "return_token_type_ids",
    "spaces_between_special_tokens",
    "special_tokens_map_file",
    "stride",
    "tokenizer_class",
    "tokenizer_file",
    "truncation_strategy",
    "use_default_system_prompt",
    "use_fast",
    "vocab_file",
    "merges_file",
  ])("takes %s, whatever it says", async (key) => {
    expect((await read(config({ [key]: "set" }))).settings).toEqual({});
  });

  it("reads vocab.json with merges.txt, and neither without the other", async () => {
    const vocab = { a: 0, b: 1 };
    for (const text of ["#version: 0.2\na b\nab c\n", "a b\nab c", "\na b \r\n\nab c\r\n"]) {
      const { vocabulary } = await read({ "vocab.json": vocab, "merges.txt": text });
      expect(vocabulary).toEqual({
        vocab,
        merges: [
          ["a", "b"],
          ["ab", "c"],
        ],
      });
    }
    // In a later line "#version" is a piece.
    const { vocabulary } = await read({ "vocab.json": vocab, "merges.txt": "a b\n#version x\n" });
    expect(vocabulary!.merges[1]).toEqual(["#version", "x"]);
    expect((await read({ "vocab.json": vocab })).vocabulary).toBeUndefined();
    expect((await read({ "merges.txt": "a b" })).vocabulary).toBeUndefined();
  });
});
