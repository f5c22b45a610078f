import { join } from "node:path";
import { expect, it } from "vitest";
import { png } from "../../test/png.js";
import { pixelsOf, readDataset } from "../../test/read-dataset.js";
import { folderOf } from "../../test/temporary-folder.js";
import { vgAttribution, vgRelation } from "./aro-visual-genome.js";

// Red is the column, green the row.
const image = await png(6, 4, (x, y) => [10 * x + 1, 10 * y + 1, 7]);

/** As the published files have them. */
const box = (x: number, y: number, w: number, h: number) => ({ bbox_x: x, bbox_y: y, bbox_w: w, bbox_h: h });
const relation = (name: string, changes = {}) => ({
  image_id: 2363098,
  image_path: "2363098.jpg",
  relation_name: name,
  true_caption: `the door is ${name} the man`,
  false_caption: `the man is ${name} the door`,
  ...box(1, 2, 3, 2),
  ...changes,
});
const attribution = (attributes: string[], changes = {}) => ({
  image_id: 1,
  image_path: "2363098.jpg",
  attributes,
  obj1_name: "hat",
  obj2_name: "dog",
  true_caption: "the white hat and the brown dog",
  false_caption: "the brown hat and the white dog",
  ...box(0, 0, 6, 4),
  ...changes,
});
const relations = (...cases: object[]) =>
  folderOf({ "visual_genome_relation.json": JSON.stringify(cases), "images/2363098.jpg": image });

it("reads VG-Relation's cases and cuts out their boxes", async () => {
  const cases = [relation("to the left of"), relation("wearing", box(4, 3, 3, 2)), relation("near")];
  const { dataset, captions, negatives, imageOf, captionOf, categories } = await vgRelation(
    relations(...cases),
  );
  expect(captions).toEqual(["the door is to the left of the man", "the door is wearing the man"]);
  expect(negatives).toEqual(["the man is to the left of the door", "the man is wearing the door"]);
  expect(categories).toEqual(["to the left of", "wearing"]);
  expect([[...imageOf], [...captionOf]]).toEqual([
    [0, 1],
    [0, 1],
  ]);
  const [first, second] = await readDataset(dataset);
  const colour = (x: number, y: number) => [10 * x + 1, 10 * y + 1, 7];
  expect(pixelsOf(first)).toEqual(
    [1, 2, 3]
      .map((x) => colour(x, 2))
      .concat([1, 2, 3].map((x) => colour(x, 3)))
      .flat(),
  );
  // The part of a box outside the image is black, as Pillow's crop has it.
  expect(pixelsOf(second)).toEqual([...colour(4, 3), ...colour(5, 3), ...new Array(3 + 9).fill(0)]);
  const all = await vgRelation(relations(...cases), { symmetric: true });
  expect(all.categories).toEqual(["to the left of", "wearing", "near"]);
});

it("reads VG-Attribution's cases, without pairs that are rare", async () => {
  const cases = [
    ...Array.from({ length: 25 }, () => attribution(["white", "brown"])),
    ...Array.from({ length: 24 }, () => attribution(["open", "closed"])),
  ];
  const folder = folderOf({
    "visual_genome_attribution.json": JSON.stringify(cases),
    "pictures/2363098.jpg": image,
  });
  const images = join(folder, "pictures");
  const { categories, dataset } = await vgAttribution(folder, { images });
  expect(categories).toEqual(new Array(25).fill("white_brown"));
  expect(await readDataset(dataset)).toHaveLength(25);
  expect((await vgAttribution(folder, { images, leastCases: 24 })).categories).toHaveLength(49);
  await expect(vgAttribution(folder, { images, leastCases: 26 })).rejects.toThrow(/has no cases that count/);
});

it.each<[string, object, RegExp]>([
  ["no caption", { true_caption: "" }, /relation\.json: case 0 must have a text true_caption, got ""/],
  ["no relation", { relation_name: 3 }, /case 0 must have a relation_name, got 3/],
  ["a broken box", { bbox_w: 0 }, /case 0: bbox_w must be an integer, at least 1.*got 0/],
  [
    "a box of many pixels",
    { bbox_w: 65536, bbox_h: 65536 },
    /case 0: bbox must have at most 268435456 pixels/,
  ],
  ["a path", { image_path: "/etc/x.jpg" }, /case 0: image_path must name a file below its folder/],
  ["half a pixel", { bbox_x: 0.5 }, /case 0: bbox_x must be an integer.*got 0\.5/],
  ["no image", { image_path: "9.jpg" }, /images\/9\.jpg: no such file/],
])("refuses %s", async (_, changes, message) => {
  await expect(vgRelation(relations(relation("on", changes)))).rejects.toThrow(message);
});

it("names a broken image, and files that are not as published", async () => {
  const broken = folderOf({
    "visual_genome_relation.json": JSON.stringify([relation("on")]),
    "images/2363098.jpg": "x",
  });
  const { dataset } = await vgRelation(broken);
  await expect(readDataset(dataset)).rejects.toThrow(/vgRelation: .*2363098\.jpg: /);
  await expect(vgRelation(folderOf({ "visual_genome_relation.json": "{}" }))).rejects.toThrow(
    /must be a list, got a/,
  );
  await expect(vgAttribution(folderOf({}))).rejects.toThrow(/visual_genome_attribution\.json: no such file/);
  const two = folderOf({ "visual_genome_attribution.json": JSON.stringify([attribution(["white"])]) });
  await expect(vgAttribution(two)).rejects.toThrow(/case 0 must have two attributes, got an array of 1/);
});
