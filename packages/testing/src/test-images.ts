import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { packTar } from "modern-tar";
import sharp, { type Sharp } from "sharp";
import { syntheticPixels } from "./synthetic-pixels.js";

/** An image file of a test. */
export interface TestImage {
  /** A class folder and a file name, such as `stripes/03.png`. */
  name: string;
  bytes: Uint8Array;
  caption: string;
}

/** Forms of image files, each with its ending. */
const forms: [extension: string, encode: (image: Sharp) => Sharp][] = [
  ["jpg", (image) => image.jpeg({ quality: 90 })],
  ["png", (image) => image.png()],
  ["webp", (image) => image.webp({ quality: 85 })],
  ["jpeg", (image) => image.jpeg({ progressive: true }).withMetadata({ orientation: 6 })],
  ["png", (image) => image.png({ palette: true })],
  ["gif", (image) => image.gif()],
  ["tif", (image) => image.tiff({ compression: "lzw" })],
  ["avif", (image) => image.avif({ effort: 0 })],
  ["png", (image) => image.greyscale().png()],
  ["png", (image) => image.ensureAlpha(0.5).png()],
  ["jpg", (image) => image.greyscale().jpeg()],
  ["png", (image) => image.greyscale().ensureAlpha(0.25).png()],
  ["jpg", (image) => image.toColourspace("cmyk").jpeg()],
  ["png", (image) => image.toColourspace("rgb16").png()],
  ["webp", (image) => image.ensureAlpha(0.75).webp({ lossless: true })],
];
const classes = ["stripes", "waves", "noise"];

/** Images of odd sizes and of every form that is read, the same each time, from 17 x 15 to 116 x 104 pixels. */
export async function testImages(count = 60): Promise<TestImage[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const [width, height] = [17 + ((i * 37) % 100), 15 + ((i * 53) % 90)];
      const raw = { width, height, channels: 3 } as const;
      const [extension, encode] = forms[i % forms.length]!;
      const bytes = await encode(sharp(syntheticPixels(i, width, height), { raw })).toBuffer();
      const label = classes[i % classes.length]!;
      const name = `${label}/${String(i).padStart(2, "0")}.${extension}`;
      return { name, bytes, caption: `image ${i} of ${label}` };
    }),
  );
}

/**
 * Writes `testImages` to a folder with a folder for each class.
 *
 * @returns their paths below the folder, sorted
 */
export async function writeTestImages(folder: string, count?: number): Promise<string[]> {
  const images = await testImages(count);
  for (const { name, bytes } of images) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
  return images.map(({ name }) => name).sort();
}

/**
 * Writes `testImages` to WebDataset shards `00000.tar`, `00001.tar` and so on, with an image, a txt and a json for each sample as
 * CC3M has them.
 *
 * @returns the shards' paths
 */
export async function writeTestShards(
  folder: string,
  { count, shards = 3 }: { count?: number; shards?: number } = {},
): Promise<string[]> {
  const images = await testImages(count);
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const mine = images.slice(
      Math.floor((shard * images.length) / shards),
      Math.floor(((shard + 1) * images.length) / shards),
    );
    const members = mine.flatMap(({ name, bytes, caption }) => {
      const [label, file] = name.split("/") as [string, string];
      const [key, extension] = file.split(".") as [string, string];
      return [
        member(`${key}.${extension}`, bytes),
        member(`${key}.txt`, new TextEncoder().encode(caption)),
        member(`${key}.json`, new TextEncoder().encode(JSON.stringify({ caption, label }))),
      ];
    });
    files.push(join(folder, `${String(shard).padStart(5, "0")}.tar`));
    await writeFile(files[shard]!, await packTar(members));
  }
  return files;
}

function member(name: string, body: Uint8Array) {
  return { header: { name, size: body.length, mtime: new Date(0) }, body };
}
