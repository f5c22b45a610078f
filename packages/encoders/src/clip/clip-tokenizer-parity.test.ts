import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { CLIPTokenizer } from "./clip-tokenizer.js";

const fixtures = fileURLToPath(new URL("../../fixtures/clip-tokenizer", import.meta.url));
const json = async (name: string) => JSON.parse(await readFile(join(fixtures, name), "utf8"));

describe("CLIPTokenizer beside transformers", () => {
  it("gives the ids of 1,000 texts", async () => {
    const strings = (await json("strings.json")) as [string, number[]][];
    const tokenizer = await CLIPTokenizer.fromPretrained(fixtures);
    expect(strings.length).toBe(1000);
    const different = strings.flatMap(([text, expected]) => {
      const ids = Array.from(tokenizer.encodeRows([text], { maxLength: 200, padding: "longest" })[0]!);
      return String(ids) === String(expected) ? [] : [{ text, ids, expected }];
    });
    expect(different).toEqual([]);
  });

  const added = json("added.json") as Promise<{
    texts: string[];
    folders: {
      name: string;
      files: Record<string, Record<string, unknown>>;
      size: number;
      ids: number[][];
    }[];
  }>;
  it.each([
    "added_tokens.json of old",
    "added_tokens.json and additional_special_tokens",
    "added_tokens_decoder",
    "special tokens described",
    "saved by transformers 5",
  ])("finds whole tokens outside the vocabulary: %s", async (name) => {
    const { texts, folders } = await added;
    const { files, size, ids } = folders.find((one) => one.name === name)!;
    const folder = await mkdtemp(join(tmpdir(), "clip-added-"));
    if (files["tokenizer.json"]) {
      const [vocab, merges] = [
        await json("vocab.json"),
        await readFile(join(fixtures, "merges.txt"), "utf8"),
      ];
      const pairs = merges
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.split(" "));
      Object.assign(files["tokenizer.json"]!["model"] as object, { vocab, merges: pairs });
    } else {
      for (const file of ["vocab.json", "merges.txt"])
        await copyFile(join(fixtures, file), join(folder, file));
    }
    for (const [file, content] of Object.entries(files))
      await writeFile(join(folder, file), JSON.stringify(content));
    const tokenizer = await CLIPTokenizer.fromPretrained(folder);
    expect(tokenizer.vocabSize).toBe(size);
    const rows = texts.map((text) => [
      text,
      Array.from(tokenizer.encodeRows([text], { padding: "longest" })[0]!),
    ]);
    expect(rows).toEqual(texts.map((text, index) => [text, ids[index]]));
    await rm(folder, { recursive: true });
  });
});
