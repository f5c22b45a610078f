import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeImage } from "@dcr-js/data";
import { expect, it } from "vitest";
import { readDataset } from "../../test/read-dataset.js";
import { folderOf } from "../../test/temporary-folder.js";
import { aroOrder } from "./aro-order.js";

/** Made by tools/reference/eval_parquet.py. */
const parquet = fileURLToPath(new URL("../../fixtures/aro-order.parquet", import.meta.url));

it("reads MTEB's Parquet files", async () => {
  const { dataset, captions, negatives, imageOf, captionOf } = await aroOrder(parquet);
  expect(captions).toEqual(["a man with a hat", "two dogs run", "red bus"]);
  expect(negatives.slice(4, 8)).toEqual([1, 2, 3, 4].map((k) => `run ${k} dogs two`));
  expect([...imageOf]).toEqual([0, 1, 2]);
  expect([...captionOf]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  const [, , { name, content }] = await readDataset(dataset);
  const { data, width, height } = await decodeImage((content as { bytes: Uint8Array }).bytes);
  expect([name, width, height, ...data.slice(0, 3)]).toEqual(["2.png", 4, 3, 0, 255, 0]);
  await expect(aroOrder(parquet, { images: "x" })).rejects.toThrow(
    /images must be left out for Parquet files/,
  );
});

it("reads the cases of ARO's own code, each image once", async () => {
  const cases = [
    {
      image: "val2014/1.jpg",
      caption_options: ["a cat sits", "cat a sits", "sits a cat", "a sits cat", "sits cat a"],
    },
    { image: "val2014/2.jpg", caption_options: ["one dog", "dog one", "dog one", "one dog", "dog one"] },
    { image: "val2014/1.jpg", caption_options: ["a black cat", "black a cat"] },
  ];
  const folder = folderOf({ "order.json": JSON.stringify(cases), "val2014/1.jpg": "x" });
  const choices = await aroOrder(join(folder, "order.json"), { images: folder });
  expect(choices.captions).toEqual(["a cat sits", "one dog", "a black cat"]);
  expect([...choices.imageOf]).toEqual([0, 1, 0]);
  expect([...choices.captionOf]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2]);
  expect(choices.negatives.at(-1)).toBe("black a cat");
  expect((await readDataset(choices.dataset)).map(({ content }) => content)).toEqual([
    { path: join(folder, "val2014/1.jpg") },
    { path: join(folder, "val2014/2.jpg") },
  ]);
});

it.each<[string, string, RegExp]>([
  // coco_karpathy_test.json as ARO downloads it.
  [
    "captions alone",
    '[{"image":"a.jpg","caption":["x","y"]}]',
    /case 0 must have caption_options.*got undefined; files of only captions have none/,
  ],
  [
    "no negatives",
    '[{"image":"a.jpg","caption_options":["x"]}]',
    /a caption and its negatives, got an array of 1/,
  ],
  ["a path", '[{"image":"../a.jpg","caption_options":["x","y"]}]', /case 0: image must name a file below/],
  ["no cases", "[]", /has no cases/],
  ["no list", "{}", /must be a list, got a/],
  ["no JSON", "[", /is not valid JSON/],
  ["no image", '[{"image":"a.jpg","caption_options":["x","y"]}]', /a\.jpg: no such file/],
])("refuses %s", async (_, content, message) => {
  const folder = folderOf({ "x.json": content });
  await expect(aroOrder(join(folder, "x.json"), { images: folder })).rejects.toThrow(message);
  await expect(aroOrder(join(folder, "x.json"))).rejects.toThrow(
    /images must be the folder of .*x\.json's images/,
  );
});
