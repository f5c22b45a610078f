import { expect, it } from "vitest";
import {
  aroOrder,
  caltech101,
  cifar10,
  cifar100,
  classFolder,
  dtd,
  imageNet,
  karpathy,
  mmvpVLM,
  mnist,
  sugarCrepe,
  vgAttribution,
  vgRelation,
  winoground,
} from "./index.js";

const images = { images: "folder" };
const readers: Record<string, (folder: never) => Promise<unknown>> = {
  aroOrder: (path) => aroOrder(path, images),
  caltech101: (folder) => caltech101(folder),
  cifar10: (folder) => cifar10(folder),
  cifar100: (folder) => cifar100(folder),
  classFolder: (folder) => classFolder(folder),
  dtd: (folder) => dtd(folder),
  imageNet: (folder) => imageNet(folder),
  karpathy: (file) => karpathy(file, images),
  mmvpVLM: (folder) => mmvpVLM(folder),
  mnist: (folder) => mnist(folder),
  sugarCrepe: (folder) => sugarCrepe(folder, images),
  vgAttribution: (folder) => vgAttribution(folder, images),
  vgRelation: (folder) => vgRelation(folder, images),
  winoground: (path) => winoground(path),
};

it.each(Object.entries(readers))("%s names itself where its folder is no text", async (name, read) => {
  for (const folder of [undefined, null, 5, "", ["a"]]) {
    await expect(read(folder as never), String(folder)).rejects.toThrow(
      new RegExp(`^${name}: (folder|file|path) must be a string, not empty, got `),
    );
  }
});
