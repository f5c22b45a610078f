import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { imageArray } from "@dcr-js/data";
import { checkOptions, checkText, describe } from "../shared/check-options.js";
import type { CaptionChoices } from "./caption-choices.js";
import { checkBelow, checkFile, parseFile } from "./published-files.js";

/** The seven kinds of change (Hsieh et al. 2023, table 1), as the published files are named. */
export const sugarCrepeCategories = [
  "add_obj",
  "add_att",
  "replace_obj",
  "replace_att",
  "replace_rel",
  "swap_obj",
  "swap_att",
] as const;

export interface SugarCrepeOptions {
  /** The folder of MS-COCO's `val2017` images. */
  images: string;
  /** Default all seven. */
  categories?: readonly (typeof sugarCrepeCategories)[number][];
}

/**
 * SugarCrepe (Hsieh et al. 2023) as published: `add_obj.json` and so on, each `{ "0": { filename, caption, negative_caption }, ... }`. Its
 * figure is the accuracy of each category.
 *
 * @param folder of the JSON files, the repository's `data`
 * @throws naming the file and the entry that is not as published, and the first image that is missing
 *
 * @example
 * const { dataset, captions, negatives, ...choices } = await sugarCrepe("sugar-crepe/data", { images: "val2017" });
 * const { features } = await encodeImages(dataset, { encodeImage, transform });
 * const { byCategory } = await captionChoice({
 *   images: features,
 *   captions: await encodeTexts(captions, { encodeText }),
 *   negatives: await encodeTexts(negatives, { encodeText }),
 *   ...choices,
 * });
 */
export async function sugarCrepe(folder: string, options: SugarCrepeOptions): Promise<CaptionChoices> {
  checkText("sugarCrepe: folder", folder);
  const checked = checkOptions("sugarCrepe", options, { images: true, categories: true });
  const { images, categories = sugarCrepeCategories } = checked;
  if (typeof images !== "string")
    throw new TypeError(`sugarCrepe: images must be a folder, got ${describe(images)}`);
  const unknown = Array.isArray(categories)
    ? categories.find((category) => !sugarCrepeCategories.includes(category as never))
    : categories;
  if (unknown !== undefined || categories.length === 0) {
    throw new Error(
      `sugarCrepe: categories must be of ${sugarCrepeCategories.join(", ")}, got ${describe(unknown ?? categories)}`,
    );
  }
  const places = new Map<string, number>();
  const choices = { captions: [], negatives: [], imageOf: [], categories: [] } as {
    captions: string[];
    negatives: string[];
    imageOf: number[];
    categories: string[];
  };
  for (const category of categories) {
    const path = join(folder, `${category}.json`);
    await checkFile("sugarCrepe", path);
    const root = parseFile(`sugarCrepe: ${path}`, await readFile(path, "utf8"));
    if (typeof root !== "object" || root === null || Array.isArray(root)) {
      throw new Error(`sugarCrepe: ${path} must be an object of entries, got ${describe(root)}`);
    }
    for (const [id, entry] of Object.entries(root)) {
      const { filename, caption, negative } = checkEntry(
        `sugarCrepe: ${path}: entry ${JSON.stringify(id)}`,
        entry,
      );
      if (!places.has(filename)) places.set(filename, places.size);
      choices.imageOf.push(places.get(filename)!);
      choices.captions.push(caption);
      choices.negatives.push(negative);
      choices.categories.push(category);
    }
  }
  const names = [...places.keys()];
  if (names.length === 0) throw new Error(`sugarCrepe: ${folder} has no entries`);
  const first = join(images, names[0]);
  if (!(await stat(first).catch(() => undefined))?.isFile())
    throw new Error(`sugarCrepe: ${first}: no such file`);
  return {
    dataset: imageArray(names.map((name) => ({ name, image: join(images, name) }))),
    ...choices,
    imageOf: Int32Array.from(choices.imageOf),
    captionOf: Int32Array.from(choices.captions, (_, i) => i),
  };
}

function checkEntry(where: string, entry: unknown) {
  const { filename, caption, negative_caption: negative } = (entry ?? {}) as Record<string, unknown>;
  for (const [key, value] of Object.entries({ filename, caption, negative_caption: negative })) {
    if (typeof value !== "string" || value === "")
      throw new Error(`${where} must have a text ${key}, got ${describe(value)}`);
  }
  checkBelow(where, filename);
  return { filename, caption, negative } as Record<"filename" | "caption" | "negative", string>;
}
