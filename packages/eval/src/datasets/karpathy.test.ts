import { expect, it } from "vitest";
import { readDataset } from "../../test/read-dataset.js";
import { folderOf } from "../../test/temporary-folder.js";
import { karpathy } from "./karpathy.js";

const entry = (split: string, name: string, captions: number) => ({
  filepath: "val2014",
  sentids: [1],
  filename: name,
  imgid: 0,
  split,
  sentences: Array.from({ length: captions }, (_, i) => ({
    tokens: ["a"],
    raw: `${name} ${i} `,
    imgid: 0,
    sentid: i,
  })),
  cocoid: 1,
});
const json = (images: unknown) => JSON.stringify({ images, dataset: "coco" });

it("reads images and captions of a split", async () => {
  const folder = folderOf({
    "dataset_coco.json": json([
      entry("train", "a.jpg", 5),
      entry("test", "b.jpg", 6),
      entry("restval", "c.jpg", 5),
      entry("test", "d.jpg", 2),
    ]),
    "val2014/a.jpg": "",
    "val2014/b.jpg": "",
  });
  const file = `${folder}/dataset_coco.json`;
  const { dataset, captions, imageOf } = await karpathy(file, { images: folder });
  const entries = await readDataset(dataset);
  expect(entries.map(({ name }) => name)).toEqual(["val2014/b.jpg", "val2014/d.jpg"]);
  expect(entries[0].content).toEqual({ path: `${folder}/val2014/b.jpg` });
  expect(captions).toEqual([0, 1, 2, 3, 4].map((i) => `b.jpg ${i}`).concat(["d.jpg 0", "d.jpg 1"]));
  expect([...imageOf]).toEqual([0, 0, 0, 0, 0, 1, 1]);
  const train = await karpathy(file, { images: folder, split: "train", captionsPerImage: 1 });
  expect(train.captions).toEqual(["a.jpg 0", "c.jpg 0"]);
});

it("names what is not as published", async () => {
  const read = (content: string, options = {}) => {
    const folder = folderOf({ "dataset.json": content });
    return karpathy(`${folder}/dataset.json`, { images: folder, ...options });
  };
  await expect(read("{")).rejects.toThrow(/dataset.json is not valid JSON: .*JSON/);
  await expect(read("\uFEFF[]")).rejects.toThrow(/must have a list "images"/);
  await expect(read("[]")).rejects.toThrow(/must have a list "images"/);
  await expect(read(json([null]))).rejects.toThrow(/images\[0\] must have a filename/);
  await expect(read(json([{ ...entry("test", "a.jpg", 1), sentences: [] }]))).rejects.toThrow(
    /images\[0\] must have sentences/,
  );
  await expect(read(json([entry("val", "a.jpg", 1)]))).rejects.toThrow(/has no images of the split "test"/);
  await expect(read(json([entry("test", "../../a.jpg", 1)]))).rejects.toThrow(
    /images\[0\] must name a file below its folder, got "val2014\/..\/..\/a.jpg"/,
  );
  await expect(read(json([entry("test", "a.jpg", 1), entry("test", "a.jpg", 1)]))).rejects.toThrow(
    /image 1 of the split must differ from .*image 0 of the split, got "val2014\/a.jpg" twice/,
  );
  await expect(read(json([entry("test", "a.jpg", 1)]))).rejects.toThrow(/val2014\/a.jpg: no such file/);
  await expect(read(json([]), { captionsPerImage: 0 })).rejects.toThrow(
    /captionsPerImage must be an integer, at least 1, got 0/,
  );
  await expect(karpathy("/no/such.json", { images: "." })).rejects.toThrow(
    "karpathy: /no/such.json: no such file",
  );
});
