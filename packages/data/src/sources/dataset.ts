import { hashText } from "../random/draws.js";
import { describe } from "../shared/check-options.js";
import { checkImage, type RGBImage } from "../transforms/image.js";

/** Where an image's pixels are. */
export type ImageContent =
  /** An image file. */
  | { path: string }
  /** The content of an image file. */
  | { bytes: Uint8Array }
  /** Decoded pixels. */
  | { image: RGBImage }
  /** There are none, for this reason: the image counts as broken. */
  | { broken: string };

/** One image of a data set, before it is decoded. */
export interface ImageEntry {
  /** A name that is stable over runs, such as the path below the folder. */
  name: string;
  content: ImageContent;
  caption?: string;
  /** The class, such as the name of the folder that holds the image. */
  label?: string;
}

interface DatasetFacts {
  /** For errors and logs: the kind and where it came from. */
  description: string;
  /** Tells this data from other data; a position is restored only on the same data. */
  fingerprint: string;
}

/** A data set whose images can be read in any order. */
export interface IndexedDataset extends DatasetFacts {
  access: "random";
  /** Images in the data set. */
  length: number;
  /** The image at an index from 0 to `length - 1`, in the order of evaluation. */
  entry(index: number): ImageEntry;
  /** The classes, sorted, where images have labels. */
  labels?: string[];
}

/** A data set that is read from front to back, in one or more shards. */
export interface StreamedDataset extends DatasetFacts {
  access: "stream";
  /** How many parts can be opened apart from each other. */
  shards: number;
  /** Reads a shard from its beginning. */
  open(shard: number): AsyncIterable<ImageEntry>;
  /** Whether a shard can be opened more than once. */
  restartable: boolean;
}

/** A list or a stream of images that are not decoded yet. */
export type ImageDataset = IndexedDataset | StreamedDataset;

/** Checks that a value is a data set, as {@link openImages} and its kin make. */
export function checkDataset(name: string, dataset: ImageDataset): void {
  const isDataset =
    dataset?.access === "random"
      ? typeof dataset.entry === "function" && Number.isSafeInteger(dataset.length)
      : dataset?.access === "stream" &&
        typeof dataset.open === "function" &&
        Number.isSafeInteger(dataset.shards);
  if (!isDataset) {
    throw new TypeError(`${name} must be a data set such as openImages makes, got ${describe(dataset)}`);
  }
}

/** An image that a program brings itself. */
export interface CustomImage {
  /** A name that is stable over runs; default the image's place, such as "3". */
  name?: string;
  /** Decoded pixels, the content of an image file, or the path of one. */
  image: RGBImage | Uint8Array | string;
  caption?: string;
  label?: string;
}

/** Checks an image that a program brought itself. */
export function customEntry(where: string, item: unknown, index: number): ImageEntry {
  if (typeof item !== "object" || item === null || item instanceof Promise || !("image" in item)) {
    const came = item instanceof Promise ? "a Promise" : describe(item);
    throw new TypeError(`${where} must be { image, name, caption, label }, got ${came}`);
  }
  const unknown = Object.keys(item).filter((key) => !["name", "image", "caption", "label"].includes(key));
  if (unknown.length > 0) {
    throw new TypeError(`${where} has an unknown key "${unknown[0]}"; expected image, name, caption, label`);
  }
  const { name = String(index), image, caption, label } = item as CustomImage;
  for (const [key, value] of Object.entries({ name, caption, label })) {
    if (value !== undefined && typeof value !== "string") {
      throw new TypeError(`${where}.${key} must be a string, got ${describe(value)}`);
    }
  }
  return { name, content: customContent(`${where}.image`, image), caption, label };
}

function customContent(where: string, image: unknown): ImageContent {
  if (typeof image === "string") return { path: image };
  if (image instanceof Uint8Array) return { bytes: image };
  return { image: checkImage(where, image) };
}

/** The classes that occur, sorted; undefined where there are none. */
export function sortedLabels(labels: Iterable<string | undefined>): string[] | undefined {
  const found = [...new Set(labels)].filter((label) => label !== undefined).sort();
  return found.length > 0 ? found : undefined;
}

/** A short text that tells lists of texts apart. */
export function fingerprintOf(kind: string, texts: Iterable<string>): string {
  let [a, b] = hashText(kind);
  let count = 0;
  for (const text of texts) {
    const [c, d] = hashText(text);
    // Not a sum: the order counts.
    a = (Math.imul(a, 0x9e3779b1) ^ c) >>> 0;
    b = (Math.imul(b, 0x85ebca77) ^ d) >>> 0;
    count++;
  }
  const hex = (word: number) => word.toString(16).padStart(8, "0");
  return `${kind}-${count}-${hex(a)}${hex(b)}`;
}
