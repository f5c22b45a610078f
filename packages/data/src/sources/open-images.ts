import { checkOptions, describe } from "../shared/check-options.js";
import { nodeModule } from "../shared/node-modules.js";
import { imageArray, imageStream } from "./custom-images.js";
import type { CustomImage, ImageDataset } from "./dataset.js";
import { imageFolder, NoImages } from "./image-folder.js";
import { type ImageTableOptions, imageTable } from "./image-table.js";
import type { Log } from "./skipped-files.js";
import { webDataset } from "./webdataset.js";

export interface OpenImagesOptions extends ImageTableOptions {
  /** Is told, on one line, which files are not read. Default `console.warn`. */
  log?: Log;
}

/** Every input that `openImages` takes. */
export type ImagesInput =
  | string
  | readonly string[]
  | readonly CustomImage[]
  | AsyncIterable<CustomImage>
  | (() => AsyncIterable<CustomImage> | Iterable<CustomImage>);

/**
 * Opens images of any kind. The input shows the kind:
 *
 * - a folder of images, as `imageFolder`; a folder of tar files and no images, as `webDataset`
 * - a tar, a pattern such as `{00000..00331}.tar` or `*.tar`, or a list of these, as `webDataset`
 * - a .csv, .tsv or .jsonl file, as `imageTable`; `columns` and `root` are for it
 * - a list of `{ image, name, caption, label }`, as `imageArray`
 * - an async iterable of them, or a function that returns one, as `imageStream`
 *
 * Nothing is decoded yet.
 *
 * @throws with one line that names the input, if it is missing, empty or of no known kind
 *
 * @example
 * const dataset = await openImages("photos");
 */
export async function openImages(input: ImagesInput, options?: OpenImagesOptions): Promise<ImageDataset> {
  const checked = checkOptions("openImages", options, { log: "function", columns: true, root: true });
  const { log, ...table } = checked;
  if (typeof input === "string" && (await isTable(input))) return imageTable(input, table);
  const extra = Object.keys(table)[0];
  if (extra) throw new TypeError(`openImages: the option ${extra} is only for CSV, TSV and JSONL files`);
  if (typeof input === "function") return imageStream(input);
  if (typeof input === "string") return openPath(input, log);
  if (Array.isArray(input)) {
    const paths = input.length > 0 && input.every((each) => typeof each === "string");
    return paths ? webDataset(input, { log }) : imageArray(input as CustomImage[]);
  }
  if (typeof input === "object" && input !== null && Symbol.asyncIterator in input) return imageStream(input);
  throw new TypeError(
    `openImages: expected a path, a pattern, a list of images or an async iterable, got ${describe(input)}`,
  );
}

async function openPath(path: string, log?: Log): Promise<ImageDataset> {
  if (path === "") throw new Error('openImages: expected a path, got ""');
  const { readdir, stat } = nodeModule("node:fs/promises");
  const { join } = nodeModule("node:path");
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    const tars = (await readdir(path)).filter((name) => isTar(name) && !name.startsWith(".")).sort();
    if (tars.length === 0) return imageFolder(path, { log });
    const images = await imageFolder(path, { log: () => {} }).catch((error: Error) => {
      if (error instanceof NoImages) return undefined;
      throw error;
    });
    if (!images) {
      return webDataset(
        tars.map((name) => join(path, name)),
        { log },
      );
    }
    throw new Error(
      `openImages: ${path} holds ${tars.length} tar files and ${images.length} images; call imageFolder or webDataset`,
    );
  }
  if (isTar(path)) return webDataset(path, { log });
  if (!found) throw new Error(`openImages: ${path} does not exist`);
  throw new Error(`openImages: ${path} must be a folder, a tar, or a .csv, .tsv or .jsonl file`);
}

/** A folder may be called `photos.csv`. */
const isTable = async (path: string): Promise<boolean> =>
  /\.(csv|tsv|jsonl|ndjson)$/i.test(path) && !(await isFolder(path));

const isFolder = async (path: string): Promise<boolean> =>
  nodeModule("node:fs/promises")
    .stat(path)
    .then((found) => found.isDirectory())
    .catch(() => false);

const isTar = (name: string): boolean => /\.(tar|tar\.gz|tgz)$/i.test(name);
