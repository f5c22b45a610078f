import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type CustomImage, decodeImage, imageStream, type RGBImage } from "@dcr-js/data";
import { checkNumber, checkOptions, checkText, describe } from "../shared/check-options.js";
import type { CaptionChoices } from "./caption-choices.js";
import { checkBelow, checkFile, parseFile } from "./published-files.js";
import { symmetricRelations } from "./symmetric-relations.js";

export interface VGRelationOptions {
  /** The folder of the images. Default `images` beside the JSON file. */
  images?: string;
  /** Whether symmetric relations count, such as "next to". Default false, as in the paper's macro accuracy. */
  symmetric?: boolean;
}

export interface VGAttributionOptions {
  /** The folder of the images. Default `images` beside the JSON file. */
  images?: string;
  /** Pairs of attributes with fewer cases are left out. Default 25, as in the paper's macro accuracy. */
  leastCases?: number;
}

/**
 * VG-Relation of ARO (Yuksekgonul et al. 2023) as published: `visual_genome_relation.json` and `images`. Each case shows the part of an
 * image within its box. The category is the relation; the paper's figure is `captionChoice`'s `macroAccuracy`.
 *
 * @param folder that holds the JSON file
 * @throws naming the file and the case that is not as published, and the first image that is missing
 */
export async function vgRelation(folder: string, options?: VGRelationOptions): Promise<CaptionChoices> {
  checkText("vgRelation: folder", folder);
  const { images, symmetric = false } = checkOptions("vgRelation", options, {
    images: true,
    symmetric: "boolean",
  });
  const left = new Set(symmetric ? [] : symmetricRelations);
  const file = join(folder, "visual_genome_relation.json");
  const cases = await readCases("vgRelation", file, (one, where) => {
    const { relation_name: relation } = one;
    if (typeof relation !== "string")
      throw new Error(`${where} must have a relation_name, got ${describe(relation)}`);
    return relation;
  });
  const kept = cases.filter(({ category }) => !left.has(category));
  return choicesOf("vgRelation", kept, { file, images: images ?? join(folder, "images") });
}

/**
 * VG-Attribution of ARO (Yuksekgonul et al. 2023) as published: `visual_genome_attribution.json` and `images`. Each case shows the part of
 * an image within its box. The category is the pair of attributes, such as `"white_brown"`; the paper's figure is `captionChoice`'s
 * `macroAccuracy`.
 *
 * @param folder that holds the JSON file
 * @throws naming the file and the case that is not as published, and the first image that is missing
 */
export async function vgAttribution(folder: string, options?: VGAttributionOptions): Promise<CaptionChoices> {
  checkText("vgAttribution: folder", folder);
  const { images, leastCases = 25 } = checkOptions("vgAttribution", options, {
    images: true,
    leastCases: true,
  });
  checkNumber("vgAttribution: leastCases", leastCases, { min: 1, integer: true });
  const file = join(folder, "visual_genome_attribution.json");
  const cases = await readCases("vgAttribution", file, (one, where) => {
    const { attributes } = one;
    if (!Array.isArray(attributes) || attributes.length !== 2)
      throw new Error(`${where} must have two attributes, got ${describe(attributes)}`);
    return `${attributes[0]}_${attributes[1]}`;
  });
  const counts = new Map<string, number>();
  for (const { category } of cases) counts.set(category, (counts.get(category) ?? 0) + 1);
  const kept = cases.filter(({ category }) => counts.get(category)! >= leastCases);
  return choicesOf("vgAttribution", kept, { file, images: images ?? join(folder, "images") });
}

interface Case {
  image: string;
  box: { left: number; top: number; width: number; height: number };
  caption: string;
  negative: string;
  category: string;
}

/** A larger box is no part of an image, and would fill the memory. */
const mostPixels = 2 ** 28;

async function readCases(
  caller: string,
  file: string,
  categoryOf: (one: Record<string, unknown>, where: string) => string,
): Promise<Case[]> {
  await checkFile(caller, file);
  const root = parseFile(`${caller}: ${file}`, await readFile(file, "utf8"));
  if (!Array.isArray(root)) throw new Error(`${caller}: ${file} must be a list, got ${describe(root)}`);
  return root.map((one: Record<string, unknown> | null, i) => {
    const where = `${caller}: ${file}: case ${i}`;
    const { image_path: image, true_caption: caption, false_caption: negative } = one ?? {};
    for (const [key, value] of Object.entries({
      image_path: image,
      true_caption: caption,
      false_caption: negative,
    })) {
      if (typeof value !== "string" || value === "")
        throw new Error(`${where} must have a text ${key}, got ${describe(value)}`);
    }
    checkBelow(`${where}: image_path`, image);
    const { bbox_x: left, bbox_y: top, bbox_w: width, bbox_h: height } = one!;
    const sides = { bbox_x: left, bbox_y: top, bbox_w: width, bbox_h: height } as Record<string, number>;
    for (const [key, value] of Object.entries(sides)) {
      const least = key === "bbox_w" || key === "bbox_h" ? 1 : -(2 ** 16);
      checkNumber(`${where}: ${key}`, value, { min: least, max: 2 ** 16, integer: true });
    }
    if (sides.bbox_w * sides.bbox_h > mostPixels) {
      throw new RangeError(`${where}: bbox must have at most ${mostPixels} pixels, got ${width} x ${height}`);
    }
    const box = { left, top, width, height } as Case["box"];
    return { image, caption, negative, box, category: categoryOf(one!, where) } as Case;
  });
}

async function choicesOf(
  caller: string,
  cases: readonly Case[],
  { file, images }: { file: string; images: string },
): Promise<CaptionChoices> {
  if (typeof images !== "string")
    throw new TypeError(`${caller}: images must be a folder, got ${describe(images)}`);
  if (cases.length === 0) throw new Error(`${caller}: ${file} has no cases that count`);
  const first = join(images, cases[0].image);
  if (!(await stat(first).catch(() => undefined))?.isFile())
    throw new Error(`${caller}: ${first}: no such file`);
  async function* parts(): AsyncGenerator<CustomImage> {
    let decoded: { path: string; image: RGBImage } | undefined;
    for (const [i, { image, box }] of cases.entries()) {
      const path = join(images, image);
      // Cases of one image stand together.
      if (decoded?.path !== path) decoded = { path, image: await decode(caller, path) };
      yield { name: `${image}#${i}`, image: cropAsPillow(decoded.image, box) };
    }
  }
  const places = Int32Array.from(cases, (_, i) => i);
  return {
    dataset: imageStream(parts, { name: `${caller} ${file}` }),
    captions: cases.map(({ caption }) => caption),
    imageOf: places,
    negatives: cases.map(({ negative }) => negative),
    captionOf: places,
    categories: cases.map(({ category }) => category),
  };
}

async function decode(caller: string, path: string): Promise<RGBImage> {
  try {
    return await decodeImage(await readFile(path));
  } catch (error) {
    throw new Error(`${caller}: ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** `Image.crop` of Pillow: black where the box leaves the image. */
function cropAsPillow(image: RGBImage, { left, top, width, height }: Case["box"]): RGBImage {
  const data = new Uint8Array(width * height * 3);
  const [from, to] = [Math.max(0, left), Math.min(image.width, left + width)];
  for (let y = Math.max(0, top); y < Math.min(image.height, top + height) && from < to; y++) {
    const row = image.data.subarray((y * image.width + from) * 3, (y * image.width + to) * 3);
    data.set(row, ((y - top) * width + from - left) * 3);
  }
  return { data, width, height };
}
