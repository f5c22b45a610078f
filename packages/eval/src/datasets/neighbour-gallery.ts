import { readFile } from "node:fs/promises";
import { decodeImage, type ImageDataset, type ImageEntry, resize } from "@dcr-js/data";
import sharp from "sharp";
import { checkLabels, type Labels } from "../features/check-labels.js";
import type { Features } from "../features/open-features.js";
import { nearestNeighbours } from "../neighbours/nearest-neighbours.js";
import type { GalleryImage, GallerySection } from "../report/section.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

export interface NeighbourGalleryOptions {
  /** `[n, dim]`, of the data set's images in their order. */
  features: Features;
  /** One for each image; a neighbour of the same label is right. */
  labels: Labels;
  /** Default "Nearest neighbours". */
  title?: string;
  /** Images that are shown with their neighbours, taken at equal distances from the data set. Default 12, or all where there are fewer. */
  queries?: number;
  /** Neighbours of each. Default 5, or all where there are fewer. */
  k?: number;
  /** The longest edge of a picture, in pixels. Default 96. */
  size?: number;
}

/**
 * Images of a data set beside their nearest neighbours by cosine, as a section for `reportHTML`.
 *
 * @param dataset the images, as `encodeImages` read them
 * @throws naming an image that cannot be read
 *
 * @example
 * const { features, labels } = await encodeImages(dataset, { encodeImage, transform });
 * const html = reportHTML({ title: "CIFAR-10", sections: [await neighbourGallery(dataset, { features, labels })] });
 */
export async function neighbourGallery(
  dataset: ImageDataset,
  options: NeighbourGalleryOptions,
): Promise<GallerySection> {
  const caller = "neighbourGallery";
  const checked = checkOptions(caller, options, {
    features: true,
    labels: true,
    title: true,
    queries: true,
    k: true,
    size: true,
  });
  const { features, labels, title = "Nearest neighbours", queries = 12, k = 5, size = 96 } = checked;
  checkNumber(`${caller}: queries`, queries, { min: 1, integer: true });
  checkNumber(`${caller}: k`, k, { min: 1, integer: true });
  checkNumber(`${caller}: size`, size, { min: 8, max: 1024, integer: true });
  const n = labels?.length ?? 0;
  checkLabels(`${caller}: labels`, labels, n);
  checkNumber(`${caller}: images`, n, { min: 2, integer: true });
  const found = await nearestNeighbours(features, { k: Math.min(k, n - 1) });
  checkLabels(`${caller}: labels`, labels, found.length);
  const shown = Math.min(queries, n);
  const asked = Array.from({ length: shown }, (_, i) => Math.floor((i * n) / shown));
  const wanted = new Set(asked.flatMap((row) => [row, ...found[row].indices]));
  const pictures = new Map<number, GalleryImage>();
  for await (const [row, entry] of entriesAt(dataset, wanted)) {
    pictures.set(row, { image: await thumbnail(entry, size), caption: String(labels[row]) });
  }
  const missing = [...wanted].find((row) => !pictures.has(row));
  if (missing !== undefined) {
    throw new Error(`${caller}: ${dataset.description} has no image ${missing}, and there are ${n} labels`);
  }
  const rows = asked.map((row) => ({
    query: pictures.get(row)!,
    neighbours: Array.from(found[row].indices, (other, place) => ({
      ...pictures.get(other)!,
      similarity: found[row].similarities[place],
      right: labels[other] === labels[row],
    })),
  }));
  return { kind: "gallery", title, rows };
}

/** The entries at these places, with their places. */
async function* entriesAt(
  dataset: ImageDataset,
  places: ReadonlySet<number>,
): AsyncGenerator<[number, ImageEntry]> {
  if (dataset.access === "random") {
    for (const place of places) if (place < dataset.length) yield [place, dataset.entry(place)];
    return;
  }
  let place = 0;
  for (let shard = 0; shard < dataset.shards; shard++) {
    for await (const entry of dataset.open(shard)) {
      if (places.has(place)) yield [place, entry];
      place++;
    }
  }
}

/** A small copy as a `data:` URL. @throws naming the image that cannot be read */
async function thumbnail({ name, content }: ImageEntry, size: number): Promise<string> {
  try {
    if ("broken" in content) throw new Error(content.broken);
    const image =
      "image" in content
        ? content.image
        : await decodeImage("bytes" in content ? content.bytes : await readFile(content.path));
    const scale = Math.min(1, size / Math.max(image.width, image.height));
    const [width, height] = [image.width, image.height].map((edge) => Math.max(1, Math.round(edge * scale)));
    const { data } = resize(image, { width, height });
    // Pixels in [0, 1] are those of an image in float32.
    const bytes =
      data instanceof Float32Array
        ? Uint8Array.from(data, (value) => Math.round(255 * Math.min(1, Math.max(0, value))))
        : Uint8Array.from(data);
    const png = await sharp(bytes, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    return `data:image/png;base64,${png.toString("base64")}`;
  } catch (error) {
    throw new Error(`neighbourGallery: ${name}: ${(error as Error).message}`, { cause: error });
  }
}
