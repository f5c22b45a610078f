import sharp from "sharp";
import { expect, it } from "vitest";
import { readDataset } from "../../test/read-dataset.js";
import { folderOf } from "../../test/temporary-folder.js";
import { caltech101, classFolder, dtd, imageNet } from "./class-folders.js";
import { classNumbers } from "./labelled-images.js";

const jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
  .jpeg()
  .toBuffer();
const files = (...names: string[]) => Object.fromEntries(names.map((name) => [name, jpeg]));

it("reads a folder of classes, as EuroSAT's", async () => {
  const folder = folderOf(files("River/River_1.jpg", "Forest/Forest_1.jpg", "Forest/Forest_2.jpg"));
  const { dataset, classes } = await classFolder(folder);
  expect(classes).toEqual(["Forest", "River"]);
  const labels = (await readDataset(dataset)).map(({ label }) => label);
  expect([...classNumbers(labels, classes)]).toEqual([0, 0, 1]);
  expect(() => classNumbers(["Sea"], classes)).toThrow('classNumbers: labels[0] is no class: "Sea"');
  await expect(classFolder(folderOf(files("River/1.jpg")))).rejects.toThrow(
    /folder for each of two classes or more, got 1/,
  );
  await expect(classFolder(folderOf(files("River/1.jpg", "Sea/1.jpg", "2.jpg")))).rejects.toThrow(
    /2.jpg is in no class's folder/,
  );
  await expect(classFolder("/no/such")).rejects.toThrow("classFolder: /no/such: no such folder");
});

it("reads Caltech-101, with the background where that is asked for", async () => {
  const folder = folderOf(
    files(
      "101_ObjectCategories/ant/image_0001.jpg",
      "101_ObjectCategories/BACKGROUND_Google/image_0001.jpg",
      "101_ObjectCategories/bass/image_0001.jpg",
    ),
  );
  const { dataset, classes } = await caltech101(folder);
  expect(classes).toEqual(["ant", "bass"]);
  expect((await readDataset(dataset)).map(({ label }) => label)).toEqual(["ant", "bass"]);
  expect((await caltech101(`${folder}/101_ObjectCategories`, { background: true })).classes).toHaveLength(3);
  await expect(caltech101(folder, { background: 1 as never })).rejects.toThrow(
    "caltech101: background must be a boolean, got 1",
  );
});

it("reads DTD's lists", async () => {
  const folder = folderOf({
    ...files("images/banded/banded_0002.jpg", "images/woven/woven_0001.jpg"),
    "labels/test1.txt": "woven/woven_0001.jpg\nbanded/banded_0002.jpg\n",
    "labels/val3.txt": "banded_0002.jpg\n",
  });
  const { dataset, classes } = await dtd(folder);
  expect(classes).toEqual(["banded", "woven"]);
  expect((await readDataset(dataset)).map(({ label }) => label)).toEqual(["woven", "banded"]);
  await expect(dtd(folder, { split: "val", partition: 3 })).rejects.toThrow(
    /val3.txt: line 1 must be <class>\/<file>/,
  );
  await expect(dtd(folder, { partition: 11 })).rejects.toThrow(/partition must be .*at most 10, got 11/);
  await expect(dtd(folder, { partition: 2 })).rejects.toThrow(/test2.txt: no such file/);
});

it("reads ImageNet's layout, with names where they are", async () => {
  const images = files("val/n01443537/b.jpg", "val/n01440764/a.jpg");
  const folder = folderOf({
    ...images,
    "LOC_synset_mapping.txt": "n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n",
  });
  const { classes, names, dataset } = await imageNet(folder);
  expect(classes).toEqual(["n01440764", "n01443537"]);
  expect(names).toEqual(["tench", "goldfish"]);
  expect((await readDataset(dataset)).map(({ label }) => label)).toEqual(classes);
  expect((await imageNet(folderOf(images))).names).toBeUndefined();
  await expect(imageNet(folderOf(files("val/tench/a.jpg", "val/goldfish/b.jpg")))).rejects.toThrow(
    /must be named by a wnid/,
  );
  await expect(imageNet(folder, { split: "train" })).rejects.toThrow(/train: no such folder/);
});

it("gives every class of ImageNet a name of its own", async () => {
  const wnids = ["n02012849", "n03126707", "n03710637", "n03710721"];
  const folder = folderOf({
    ...files(...wnids.map((wnid) => `val/${wnid}/a.jpg`)),
    // As published: of the 1000 classes these two pairs share their first name.
    "LOC_synset_mapping.txt":
      "n02012849 crane\nn03126707 crane\nn03710637 maillot\nn03710721 maillot, tank suit\n",
  });
  expect((await imageNet(folder)).names).toEqual(["crane", "crane (n03126707)", "maillot", "tank suit"]);
});

it("refuses a class without images, as torchvision's ImageFolder does, and a list without images", async () => {
  const folder = folderOf({ ...files("a/1.jpg", "b/1.jpg"), "empty/readme.txt": "", ".cache/x.txt": "" });
  await expect(classFolder(folder)).rejects.toThrow(
    `classFolder: ${folder}: expected images in every class's folder, got none in "empty"`,
  );
  await expect(dtd(folderOf({ "labels/test1.txt": "\n" }))).rejects.toThrow(
    /^dtd: .*test1.txt lists no images/,
  );
  const list = (text: string) => dtd(folderOf({ "labels/test1.txt": text }));
  await expect(list("a/1.jpg\nb/1.jpg\na/1.jpg\n")).rejects.toThrow(
    /test1.txt: line 3 must differ from .*line 1, got "a\/1.jpg" twice/,
  );
  await expect(list("../1.jpg\n")).rejects.toThrow(
    /line 1 must name a file below its folder, got "..\/1.jpg"/,
  );
});
