import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type CustomImage, type ImageDataset, imageArray, imageStream } from "@dcr-js/data";
import { checkText, describe } from "../shared/check-options.js";
import { parquetFiles, readParquet, savedImage } from "./parquet.js";
import { checkBelow, checkFile, parseFile, readLines } from "./published-files.js";

/** Winoground: image `2 i` belongs to caption `2 i`, and image `2 i + 1` to caption `2 i + 1`; `splitPairs` parts the rows. */
export interface Winoground {
  /** For `encodeImages`, two images an example. */
  dataset: ImageDataset;
  captions: string[];
  /** Of each example what the captions differ in, such as `"Object"`, `"Relation"` or `"Both"` (its `collapsed_tag`). */
  tags: string[];
}

/**
 * Winoground (Thrush et al. 2022) as published on the Hugging Face hub: `examples.jsonl` with the images of `images.zip` unpacked to
 * `images` beside it, or Parquet files.
 *
 * @param path the folder that holds them or holds their folder `data`, or a Parquet file
 * @throws naming the file and the example that is not as published, and an image that is missing
 *
 * @example
 * const { dataset, captions } = await winoground("winoground");
 * const [images0, images1] = splitPairs((await encodeImages(dataset, { encodeImage, transform })).features);
 * const [captions0, captions1] = splitPairs(await encodeTexts(captions, { encodeText }));
 * const { text, image, group } = await winogroundScores({ images0, images1, captions0, captions1 });
 */
export async function winoground(path: string): Promise<Winoground> {
  checkText("winoground: path", path);
  const files = await parquetFiles(path);
  return files ? fromParquet(files) : fromLines(path);
}

interface Example {
  caption_0: string;
  caption_1: string;
  collapsed_tag: string;
}

const texts = ["caption_0", "caption_1", "collapsed_tag"] as const;

async function fromParquet(files: string[]): Promise<Winoground> {
  const examples: Example[] = [];
  for await (const row of readParquet("winoground", files, [...texts])) {
    examples.push(checkExample(`${files[0]}: example ${examples.length}`, row));
  }
  async function* images(): AsyncGenerator<CustomImage> {
    let example = 0;
    for await (const row of readParquet("winoground", files, ["image_0", "image_1"])) {
      for (const key of ["image_0", "image_1"]) {
        const { bytes, name } = savedImage(`winoground: example ${example}: ${key}`, row[key]);
        yield { name, image: bytes };
      }
      example++;
    }
  }
  checkCount(files[0], examples);
  return withDataset(imageStream(images, { name: `winoground ${files[0]}` }), examples);
}

async function fromLines(path: string): Promise<Winoground> {
  const names = await readdir(path).catch(() => [] as string[]);
  const folder = names.includes("examples.jsonl") ? path : join(path, "data");
  const file = join(folder, "examples.jsonl");
  const lines = await readLines("winoground", file);
  const endings = new Map(
    (await readdir(join(folder, "images")).catch(() => [])).map((name) => [name.replace(/\.\w+$/, ""), name]),
  );
  const examples: Example[] = [];
  const images: { name: string; image: string }[] = [];
  for (const [i, line] of lines.entries()) {
    const where = `${file}: line ${i + 1}`;
    const row = parseFile(`winoground: ${where}`, line) as Record<string, unknown>;
    examples.push(checkExample(where, row));
    for (const key of ["image_0", "image_1"]) {
      const name = checkBelow(`winoground: ${where}: ${key}`, row?.[key]);
      const found = endings.get(name) ?? `${name}.png`;
      const image = join(folder, "images", found);
      if (!endings.has(name)) await checkFile("winoground", image);
      images.push({ name: found, image });
    }
  }
  checkCount(file, examples);
  return withDataset(imageArray(images), examples);
}

function checkExample(where: string, row: unknown): Example {
  for (const key of texts) {
    const value = (row as Record<string, unknown> | null)?.[key];
    if (typeof value !== "string") {
      throw new Error(`winoground: ${where} must have a text ${key}, got ${describe(value)}`);
    }
  }
  return row as Example;
}

function checkCount(file: string, { length }: Example[]): void {
  if (length === 0) throw new Error(`winoground: ${file}: expected at least one example, got none`);
}

function withDataset(dataset: ImageDataset, examples: Example[]): Winoground {
  return {
    dataset,
    captions: examples.flatMap(({ caption_0, caption_1 }) => [caption_0, caption_1]),
    tags: examples.map(({ collapsed_tag }) => collapsed_tag),
  };
}
