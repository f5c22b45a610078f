import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ImageDataset, imageArray } from "@dcr-js/data";
import { checkChoice, checkOptions, checkText, describe } from "../shared/check-options.js";
import { checkBelow, checkDifferent, checkFile, parseFile } from "./published-files.js";

export interface KarpathyOptions {
  /** The folder of the images. */
  images: string;
  /** Default `"test"`; `"train"` has `restval` too, as in most work on MS-COCO. */
  split?: "train" | "val" | "test";
  /** Captions of each image at most, the first ones. Default 5. */
  captionsPerImage?: number;
}

/** Images with several captions each. */
export interface CaptionedImages {
  /** For `encodeImages`. */
  dataset: ImageDataset;
  captions: string[];
  /** The image of each caption, for `imageTextRetrieval`. */
  imageOf: Int32Array;
}

interface Entry {
  filename: string;
  filepath?: string;
  split: string;
  sentences: { raw: string }[];
}

/**
 * Flickr30K or MS-COCO in Karpathy's splits (Karpathy & Fei-Fei 2015): `dataset_flickr30k.json` or `dataset_coco.json`.
 *
 * @param file the JSON file
 * @throws naming the image's entry that is not as published, and the first image's file that is missing
 *
 * @example
 * const { dataset, captions, imageOf } = await karpathy("dataset_coco.json", { images: "coco" });
 */
export async function karpathy(file: string, options: KarpathyOptions): Promise<CaptionedImages> {
  checkText("karpathy: file", file);
  const checked = checkOptions("karpathy", options, { images: true, split: true, captionsPerImage: true });
  const { images: folder, captionsPerImage = 5 } = checked;
  const split = checkChoice("karpathy: split", checked.split ?? "test", ["train", "val", "test"]);
  if (typeof folder !== "string")
    throw new TypeError(`karpathy: images must be a folder, got ${describe(folder)}`);
  if (!Number.isInteger(captionsPerImage) || captionsPerImage < 1) {
    throw new RangeError(
      `karpathy: captionsPerImage must be an integer, at least 1, got ${describe(captionsPerImage)}`,
    );
  }
  await checkFile("karpathy", file);
  const wanted = split === "train" ? ["train", "restval"] : [split];
  const entries = parse(file, await readFile(file, "utf8")).filter((entry) => wanted.includes(entry.split));
  if (entries.length === 0) throw new Error(`karpathy: ${file} has no images of the split "${split}"`);
  const captions: string[] = [];
  const imageOf: number[] = [];
  for (const [image, { sentences }] of entries.entries()) {
    for (const { raw } of sentences.slice(0, captionsPerImage)) {
      captions.push(raw.trim());
      imageOf.push(image);
    }
  }
  const names = entries.map(({ filepath, filename }) => (filepath ? `${filepath}/${filename}` : filename));
  checkDifferent(names, (i) => `karpathy: ${file}: image ${i} of the split`);
  const first = join(folder, names[0]);
  if (!(await stat(first).catch(() => undefined))?.isFile())
    throw new Error(`karpathy: ${first}: no such file`);
  const dataset = imageArray(names.map((name) => ({ name, image: join(folder, name) })));
  return { dataset, captions, imageOf: Int32Array.from(imageOf) };
}

function parse(file: string, text: string): Entry[] {
  const root = parseFile(`karpathy: ${file}`, text) as { images?: unknown } | null;
  if (!Array.isArray(root?.images)) throw new Error(`karpathy: ${file} must have a list "images"`);
  return root.images.map((entry: Partial<Entry> | null, i) => {
    const { filename, filepath, split, sentences } = entry ?? {};
    const refuse = (what: string): never => {
      throw new Error(`karpathy: ${file}: images[${i}] must have ${what}`);
    };
    if (typeof filename !== "string" || filename === "") refuse("a filename");
    if (filepath !== undefined && typeof filepath !== "string") refuse("a filepath of text");
    if (typeof split !== "string") refuse("a split");
    const valid =
      Array.isArray(sentences) &&
      sentences.length > 0 &&
      sentences.every((one) => typeof one?.raw === "string");
    if (!valid) refuse("sentences with raw text");
    checkBelow(`karpathy: ${file}: images[${i}]`, filepath ? `${filepath}/${filename}` : filename);
    return entry as Entry;
  });
}
