import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeImage } from "@dcr-js/data";
import { expect, it } from "vitest";
import { readDataset } from "../../test/read-dataset.js";
import { folderOf } from "../../test/temporary-folder.js";
import { winoground } from "./winoground.js";

/** As data/examples.jsonl has them. */
const line = (id: number, changes = {}) =>
  JSON.stringify({
    id,
    image_0: `ex_${id}_img_0`,
    image_1: `ex_${id}_img_1`,
    caption_0: `some plants surrounding bulb ${id}`,
    caption_1: `bulb ${id} surrounding some plants`,
    tag: "Object",
    secondary_tag: "",
    num_main_preds: 1,
    collapsed_tag: id === 0 ? "Object" : "Both",
    ...changes,
  });

it.each([["the folder data"], ["its parent"]])("reads examples.jsonl and images, from %s", async (which) => {
  const images = Object.fromEntries(
    ["0_img_0.png", "0_img_1.png", "7_img_0.png", "7_img_1.jpg"].map((name) => [
      `data/images/ex_${name}`,
      "x",
    ]),
  );
  const folder = folderOf({ "data/examples.jsonl": `${line(0)}\n${line(7)}\n`, ...images });
  const path = which === "its parent" ? folder : join(folder, "data");
  const { dataset, captions, tags } = await winoground(path);
  expect(captions).toEqual([
    "some plants surrounding bulb 0",
    "bulb 0 surrounding some plants",
    "some plants surrounding bulb 7",
    "bulb 7 surrounding some plants",
  ]);
  expect(tags).toEqual(["Object", "Both"]);
  const entries = await readDataset(dataset);
  expect(entries.map(({ name }) => name)).toEqual([
    "ex_0_img_0.png",
    "ex_0_img_1.png",
    "ex_7_img_0.png",
    "ex_7_img_1.jpg",
  ]);
  expect(entries[3].content).toEqual({ path: join(folder, "data/images/ex_7_img_1.jpg") });
});

/** Made by tools/reference/eval_parquet.py. */
const fixtures = fileURLToPath(new URL("../../fixtures", import.meta.url));

it("reads the hub's Parquet files, a row group at a time and again", async () => {
  const { dataset, captions, tags } = await winoground(join(fixtures, "winoground.parquet"));
  expect(captions.slice(2)).toEqual(["the taller person", "the person taller", "a café", "café a"]);
  expect(tags).toEqual(["Object", "Object", "Both"]);
  for (let time = 0; time < 2; time++) {
    const entries = await readDataset(dataset);
    expect(entries.map(({ name }) => name)).toEqual(
      [0, 1, 2].flatMap((i) => [`ex_${i}_img_0.png`, `ex_${i}_img_1.png`]),
    );
    const colours = await Promise.all(
      entries.map(async ({ content }) => [
        ...(await decodeImage((content as { bytes: Uint8Array }).bytes)).data.slice(0, 3),
      ]),
    );
    const [red, blue, lime] = [
      [255, 0, 0],
      [0, 0, 255],
      [0, 255, 0],
    ];
    expect(colours).toEqual([red, blue, lime, [0, 0, 0], [255, 255, 255], [255, 255, 0]]);
  }
});

it.each<[string, Record<string, string>, RegExp]>([
  ["no file", {}, /data\/examples\.jsonl: no such file/],
  ["no example", { "examples.jsonl": "\n" }, /at least one example, got none/],
  ["no JSON", { "examples.jsonl": "{" }, /examples\.jsonl: line 1 is not valid JSON/],
  [
    "no caption",
    { "examples.jsonl": line(0, { caption_1: null }) },
    /line 1 must have a text caption_1, got null/,
  ],
  [
    "a path",
    { "examples.jsonl": line(0, { image_0: "../x" }) },
    /line 1: image_0 must name a file below its folder, got "\.\.\/x"/,
  ],
  ["no image", { "examples.jsonl": line(0) }, /images\/ex_0_img_0\.png: no such file/],
  ["no Parquet", { "a.parquet": "PAR1 nothing" }, /a\.parquet: cannot be read as Parquet: /],
])("refuses %s", async (_, files, message) => {
  await expect(winoground(folderOf(files))).rejects.toThrow(message);
});

it("names the columns that a Parquet file has in place of Winoground's", async () => {
  await expect(winoground(join(fixtures, "aro-order.parquet"))).rejects.toThrow(
    /aro-order\.parquet: expected a column caption_0, got images, correct_caption, hard_text_1/,
  );
});
