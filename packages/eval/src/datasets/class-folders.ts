import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type IndexedDataset, imageArray, imageFolder } from "@dcr-js/data";
import { checkChoice, checkNumber, checkOptions, checkText, describe } from "../shared/check-options.js";
import type { LabelledImages } from "./labelled-images.js";
import { checkBelow, checkDifferent, readLines } from "./published-files.js";

/**
 * A folder with a folder of images for each class: EuroSAT (`EuroSAT_RGB`, or `2750` in the older archive) and any other of this form. The
 * classes are sorted.
 *
 * @throws with fewer than two classes, on a class without images, and on an image that is in no class
 */
export async function classFolder(folder: string): Promise<LabelledImages> {
  checkText("classFolder: folder", folder);
  return readClasses("classFolder", folder);
}

export interface Caltech101Options {
  /** Whether the images of `BACKGROUND_Google` are a class. Default false, as in most work. */
  background?: boolean;
}

/**
 * Caltech-101 (Fei-Fei et al. 2004): `101_ObjectCategories` with a folder for each class.
 *
 * @param folder `101_ObjectCategories` or the folder that holds it
 */
export async function caltech101(folder: string, options?: Caltech101Options): Promise<LabelledImages> {
  checkText("caltech101: folder", folder);
  const { background = false } = checkOptions("caltech101", options, { background: "boolean" });
  const { dataset, classes } = await readClasses("caltech101", await inside(folder, "101_ObjectCategories"));
  if (background) return { dataset, classes };
  return {
    dataset: only(dataset as IndexedDataset, (label) => label !== "BACKGROUND_Google"),
    classes: classes.filter((name) => name !== "BACKGROUND_Google"),
  };
}

export interface DTDOptions {
  /** Default `"test"`. */
  split?: "train" | "val" | "test";
  /** One of the ten published partitions, from 1. Default 1. */
  partition?: number;
}

/** Describable Textures (Cimpoi et al. 2014): `images/<class>/<file>` and the lists of `labels/test1.txt` and the like. */
export async function dtd(folder: string, options?: DTDOptions): Promise<LabelledImages> {
  checkText("dtd: folder", folder);
  const checked = checkOptions("dtd", options, { split: true, partition: true });
  const split = checkChoice("dtd: split", checked.split ?? "test", ["train", "val", "test"]);
  const partition = checkNumber("dtd: partition", checked.partition ?? 1, { min: 1, max: 10, integer: true });
  const path = join(folder, "labels", `${split}${partition}.txt`);
  const names = await readLines("dtd", path);
  if (names.length === 0) throw new Error(`dtd: ${path} lists no images`);
  const images = names.map((name, i) => {
    const parts = name.split("/");
    if (parts.length !== 2)
      throw new Error(`dtd: ${path}: line ${i + 1} must be <class>/<file>, got ${JSON.stringify(name)}`);
    checkBelow(`dtd: ${path}: line ${i + 1}`, name);
    return { name, image: join(folder, "images", ...parts), label: parts[0] };
  });
  checkDifferent(names, (i) => `dtd: ${path}: line ${i + 1}`);
  const classes = [...new Set(images.map(({ label }) => label))].sort();
  return { dataset: imageArray(images), classes };
}

export interface ImageNetOptions {
  /** Default `"val"`. */
  split?: "train" | "val";
}

/**
 * ImageNet-1K (Russakovsky et al. 2015) in the layout that PyTorch's examples use: `val/<wnid>/<file>` and `train/<wnid>/<file>`. The classes are
 * the wnids, sorted, which is the usual order of the 1000 classes. With `LOC_synset_mapping.txt` in the folder `names` holds a name for each, which no other class has: the
 * first that is not taken, or the first with the wnid, such as `"crane (n03126707)"`. With all 1000 classes `imagenetClassNames` of `@dcr-js/eval` has CLIP's names,
 * in the same order.
 */
export async function imageNet(
  folder: string,
  options?: ImageNetOptions,
): Promise<LabelledImages & { names?: string[] }> {
  checkText("imageNet: folder", folder);
  const checked = checkOptions("imageNet", options, { split: true });
  const split = checkChoice("imageNet: split", checked.split ?? "val", ["train", "val"]);
  const read = await readClasses("imageNet", join(folder, split));
  const wrong = read.classes.find((name) => !/^n\d{8}$/.test(name));
  if (wrong !== undefined)
    throw new Error(`imageNet: ${join(folder, split, wrong)} must be named by a wnid, such as n01440764`);
  const mapping = join(folder, "LOC_synset_mapping.txt");
  if (!(await stat(mapping).catch(() => undefined))) return read;
  const synonyms = new Map(
    (await readLines("imageNet", mapping)).map((line) => [
      line.slice(0, 9),
      line
        .slice(10)
        .split(",")
        .map((name) => name.trim())
        .filter(Boolean),
    ]),
  );
  const taken = new Set<string>();
  const names = read.classes.map((wnid) => {
    const known = synonyms.get(wnid) ?? [];
    if (known.length === 0) throw new Error(`imageNet: ${mapping} has no name for ${wnid}`);
    const name = known.find((one) => !taken.has(one)) ?? `${known[0]} (${wnid})`;
    taken.add(name);
    return name;
  });
  return { ...read, names };
}

async function readClasses(caller: string, folder: string): Promise<LabelledImages> {
  if (!(await stat(folder).catch(() => undefined))?.isDirectory())
    throw new Error(`${caller}: ${folder}: no such folder`);
  const dataset = await imageFolder(folder, { log: () => {} });
  const { labels = [], length } = dataset;
  const empty = (await foldersIn(folder)).filter((name) => !labels.includes(name));
  if (empty.length > 0) {
    const more = empty.length > 5 ? ` and ${empty.length - 5} more` : "";
    throw new Error(
      `${caller}: ${folder}: expected images in every class's folder, got none in ${empty.slice(0, 5).map(describe).join(", ")}${more}`,
    );
  }
  if (labels.length < 2)
    throw new Error(
      `${caller}: ${folder} must hold a folder for each of two classes or more, got ${labels.length}`,
    );
  for (let i = 0; i < length; i++) {
    const { name, label } = dataset.entry(i);
    if (label === undefined) throw new Error(`${caller}: ${join(folder, name)} is in no class's folder`);
  }
  return { dataset, classes: labels };
}

/** The folders within a folder, without the hidden ones, which `imageFolder` leaves out too. */
async function foldersIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith("."));
  const isFolder = await Promise.all(
    names.map(
      async (name) => (await stat(join(folder, name)).catch(() => undefined))?.isDirectory() ?? false,
    ),
  );
  return names.filter((_, i) => isFolder[i]);
}

async function inside(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  return (await stat(path).catch(() => undefined))?.isDirectory() ? path : folder;
}

/** The images of some labels. */
function only(dataset: IndexedDataset, keep: (label: string | undefined) => boolean): IndexedDataset {
  const kept = Array.from({ length: dataset.length }, (_, i) => dataset.entry(i)).filter(({ label }) =>
    keep(label),
  );
  return {
    ...dataset,
    fingerprint: `${dataset.fingerprint}-${kept.length}`,
    length: kept.length,
    entry: (index) => kept[index],
    labels: dataset.labels?.filter(keep),
  };
}
