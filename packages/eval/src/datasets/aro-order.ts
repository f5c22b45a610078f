import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type CustomImage, type ImageDataset, imageArray, imageStream } from "@dcr-js/data";
import { checkOptions, checkText, describe } from "../shared/check-options.js";
import type { CaptionChoices } from "./caption-choices.js";
import { parquetFiles, readParquet, savedImage } from "./parquet.js";
import { checkBelow, checkFile, parseFile } from "./published-files.js";

export interface AROOrderOptions {
  /** The folder of the images that a JSON file names. Parquet files hold theirs. */
  images?: string;
}

const negativeColumns = ["hard_text_1", "hard_text_2", "hard_text_3", "hard_text_4"];

/**
 * COCO-Order and Flickr30k-Order of ARO (Yuksekgonul et al. 2023): a caption against four with the words in another order. Its figure is
 * `captionChoice`'s `accuracy`.
 *
 * ARO publishes no negatives: its code draws them at random, with spaCy. Read are the Parquet files that MTEB made of them
 * (`gowitheflow/ARO-COCO-order` and `ARO-Flickr-Order` on the Hugging Face hub), or the cases of ARO's own code in JSON, which
 * `json.dump(COCO_Order(...).test_cases, file)` writes: a list of `{ image, caption_options: [caption, ...negatives] }`.
 *
 * @param path a folder of Parquet files, one of them, or a JSON file
 * @throws naming the file and the case that is not as published, and the first image that is missing
 */
export async function aroOrder(path: string, options?: AROOrderOptions): Promise<CaptionChoices> {
  const { images } = checkOptions("aroOrder", options, { images: true });
  checkText("aroOrder: path", path);
  const files = await parquetFiles(path);
  if (files) {
    if (images !== undefined)
      throw new Error("aroOrder: images must be left out for Parquet files, which hold theirs");
    return fromParquet(files);
  }
  if (typeof images !== "string")
    throw new TypeError(`aroOrder: images must be the folder of ${path}'s images, got ${describe(images)}`);
  return fromJSON(path, images);
}

async function fromParquet(files: string[]): Promise<CaptionChoices> {
  const options: string[][] = [];
  for await (const row of readParquet("aroOrder", files, ["correct_caption", ...negativeColumns])) {
    const texts = ["correct_caption", ...negativeColumns].map((column) => {
      if (typeof row[column] === "string") return row[column] as string;
      const where = `aroOrder: ${files[0]}: row ${options.length}`;
      throw new Error(`${where} must have a text ${column}, got ${describe(row[column])}`);
    });
    options.push(texts);
  }
  if (options.length === 0) throw new Error(`aroOrder: ${files[0]} has no cases`);
  async function* images(): AsyncGenerator<CustomImage> {
    let row = 0;
    for await (const { images } of readParquet("aroOrder", files, ["images"])) {
      const { bytes, name } = savedImage(`aroOrder: row ${row}: images`, images);
      row++;
      yield { name, image: bytes };
    }
  }
  const dataset = imageStream(images, { name: `aroOrder ${files[0]}` });
  return choicesOf(options, { dataset, imageOf: options.map((_, i) => i) });
}

async function fromJSON(path: string, images: string): Promise<CaptionChoices> {
  await checkFile("aroOrder", path);
  const root = parseFile(`aroOrder: ${path}`, await readFile(path, "utf8"));
  if (!Array.isArray(root)) throw new Error(`aroOrder: ${path} must be a list, got ${describe(root)}`);
  const places = new Map<string, number>();
  const imageOf: number[] = [];
  const options = root.map((one: Record<string, unknown> | null, i) => {
    const { image, caption_options: texts } = one ?? {};
    const where = `aroOrder: ${path}: case ${i}`;
    if (typeof image !== "string" || image === "")
      throw new Error(`${where} must have an image, got ${describe(image)}`);
    checkBelow(`${where}: image`, image);
    if (!Array.isArray(texts) || texts.length < 2 || !texts.every((text) => typeof text === "string")) {
      throw new Error(
        `${where} must have caption_options, a caption and its negatives, got ${describe(texts)}; files of only captions have none`,
      );
    }
    if (!places.has(image)) places.set(image, places.size);
    imageOf.push(places.get(image)!);
    return texts as string[];
  });
  const names = [...places.keys()];
  if (names.length === 0) throw new Error(`aroOrder: ${path} has no cases`);
  const first = join(images, names[0]);
  if (!(await stat(first).catch(() => undefined))?.isFile())
    throw new Error(`aroOrder: ${first}: no such file`);
  const dataset = imageArray(names.map((name) => ({ name, image: join(images, name) })));
  return choicesOf(options, { dataset, imageOf });
}

function choicesOf(
  options: readonly string[][],
  { dataset, imageOf }: { dataset: ImageDataset; imageOf: readonly number[] },
): CaptionChoices {
  return {
    dataset,
    captions: options.map(([caption]) => caption),
    imageOf: Int32Array.from(imageOf),
    negatives: options.flatMap(([, ...negatives]) => negatives),
    captionOf: Int32Array.from(options.flatMap(([, ...negatives], i) => negatives.map(() => i))),
  };
}
