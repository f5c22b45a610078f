import { expect, it } from "vitest";
import { readDataset } from "../../test/read-dataset.js";
import { folderOf } from "../../test/temporary-folder.js";
import { sugarCrepe, sugarCrepeCategories } from "./sugar-crepe.js";

/** The first entries of the published add_att.json. */
const addAtt = {
  "0": {
    filename: "000000085329.jpg",
    caption: "A drawing of a young woman with many facial piercings.",
    negative_caption: "A drawing of a tattooed young woman with many facial piercings.",
  },
  "1": {
    filename: "000000562121.jpg",
    caption: "Two zebras are battling each other on hind legs.",
    negative_caption: "Two striped-and-spotted zebras are battling each other on hind legs.",
  },
};
const swapObj = { "0": { ...addAtt[1], filename: "000000085329.jpg" } };
const images = folderOf({ "000000085329.jpg": "x", "000000562121.jpg": "y" });

it("reads the categories, each image once", async () => {
  const folder = folderOf({
    "add_att.json": JSON.stringify(addAtt, null, 4),
    "swap_obj.json": JSON.stringify(swapObj),
  });
  const choices = await sugarCrepe(folder, { images, categories: ["add_att", "swap_obj"] });
  expect(choices.captions).toEqual([addAtt[0].caption, addAtt[1].caption, addAtt[1].caption]);
  expect(choices.negatives[0]).toBe(addAtt[0].negative_caption);
  expect([...choices.imageOf]).toEqual([0, 1, 0]);
  expect([...choices.captionOf]).toEqual([0, 1, 2]);
  expect(choices.categories).toEqual(["add_att", "add_att", "swap_obj"]);
  const names = (await readDataset(choices.dataset)).map(({ name }) => name);
  expect(names).toEqual(["000000085329.jpg", "000000562121.jpg"]);
});

it("reads all seven files by default", async () => {
  const files = sugarCrepeCategories.map((name) => [`${name}.json`, JSON.stringify(swapObj)]);
  const { categories } = await sugarCrepe(folderOf(Object.fromEntries(files)), { images });
  expect(categories).toEqual([...sugarCrepeCategories]);
  await expect(sugarCrepe(folderOf(Object.fromEntries(files.slice(1))), { images })).rejects.toThrow(
    /add_obj\.json: no such file/,
  );
});

it.each<[string, unknown, RegExp]>([
  ["a list", [], /add_att\.json must be an object of entries, got an array of 0/],
  ["no entries", {}, /has no entries/],
  [
    "no caption",
    { 5: { filename: "a.jpg", negative_caption: "x" } },
    /entry "5" must have a text caption, got undefined/,
  ],
  [
    "a path",
    { 5: { ...addAtt[0], filename: "../a.jpg" } },
    /entry "5" must name a file below its folder, got "\.\.\/a\.jpg"/,
  ],
  ["no image", { 5: { ...addAtt[0], filename: "a.jpg" } }, /a\.jpg: no such file/],
])("refuses %s", async (_, content, message) => {
  const folder = folderOf({ "add_att.json": JSON.stringify(content) });
  await expect(sugarCrepe(folder, { images, categories: ["add_att"] })).rejects.toThrow(message);
});

it("refuses unknown categories and options", async () => {
  const refuse = (options: object, message: RegExp) =>
    expect(sugarCrepe("x", { images, ...options } as never)).rejects.toThrow(message);
  await refuse({ categories: ["add"] }, /categories must be of add_obj, .*, got "add"/);
  await refuse({ categories: [] }, /categories must be of/);
  await refuse({ images: undefined }, /images must be a folder, got undefined/);
  await refuse({ split: "test" }, /unknown option "split"/);
});
