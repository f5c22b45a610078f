import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type CustomImage, imageStream } from "@dcr-js/data";
import { checkChoice, checkOptions, checkText } from "../shared/check-options.js";
import type { LabelledImages } from "./labelled-images.js";
import { checkDifferent, checkFile, readLines, readRecords } from "./published-files.js";

const side = 32;
const plane = side * side;

export interface CIFAR10Options {
  /** Default `"test"`, 10,000 images; `"train"` has 50,000. */
  split?: "train" | "test";
}

export interface CIFAR100Options extends CIFAR10Options {
  /** The 100 fine classes (the default) or their 20 coarse ones. */
  labels?: "fine" | "coarse";
}

/**
 * CIFAR-10 (Krizhevsky 2009) from the files of its binary version, `cifar-10-batches-bin`: `test_batch.bin`, `data_batch_1.bin` to
 * `data_batch_5.bin`, `batches.meta.txt`. The Python version, of pickles, is not read.
 *
 * @throws where a file is missing, has no image or has fewer than the split's other files, or while reading, where it ends within an image or has a
 *   label that is no class
 */
export async function cifar10(folder: string, options?: CIFAR10Options): Promise<LabelledImages> {
  checkText("cifar10: folder", folder);
  const checked = checkOptions("cifar10", options, { split: true });
  const split = checkChoice("cifar10: split", checked.split ?? "test", ["train", "test"]);
  const files = split === "test" ? ["test_batch.bin"] : [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
  return read("cifar10", { folder, files, names: "batches.meta.txt", labelBytes: 1, labelAt: 0 });
}

/**
 * CIFAR-100 (Krizhevsky 2009) from the files of its binary version, `cifar-100-binary`: `test.bin`, `train.bin`, `fine_label_names.txt`,
 * `coarse_label_names.txt`. The Python version, of pickles, is not read.
 *
 * @throws as {@link cifar10}
 */
export async function cifar100(folder: string, options?: CIFAR100Options): Promise<LabelledImages> {
  checkText("cifar100: folder", folder);
  const checked = checkOptions("cifar100", options, { split: true, labels: true });
  const split = checkChoice("cifar100: split", checked.split ?? "test", ["train", "test"]);
  const labels = checkChoice("cifar100: labels", checked.labels ?? "fine", ["fine", "coarse"]);
  return read("cifar100", {
    folder,
    files: [`${split}.bin`],
    names: `${labels}_label_names.txt`,
    labelBytes: 2,
    labelAt: labels === "coarse" ? 0 : 1,
  });
}

async function read(
  caller: string,
  {
    folder,
    files,
    names: file,
    labelBytes,
    labelAt,
  }: { folder: string; files: string[]; names: string; labelBytes: number; labelAt: number },
): Promise<LabelledImages> {
  const names = join(folder, file);
  const classes = await readLines(caller, names);
  if (classes.length === 0) throw new Error(`${caller}: ${names} names no class`);
  checkDifferent(classes, (i) => `${caller}: ${names}: class ${i}`);
  const recordLength = labelBytes + 3 * plane;
  await checkCounts(
    caller,
    files.map((file) => join(folder, file)),
    recordLength,
  );
  async function* images(): AsyncGenerator<CustomImage> {
    for (const file of files) {
      const path = join(folder, file);
      let index = 0;
      for await (const record of readRecords(caller, path, { record: recordLength })) {
        const label = classes[record[labelAt]];
        if (label === undefined) {
          throw new Error(
            `${caller}: ${path}: image ${index} has label ${record[labelAt]}, and there are ${classes.length} classes`,
          );
        }
        yield {
          name: `${file}/${index++}`,
          image: { data: interleave(record.subarray(labelBytes)), width: side, height: side },
          label,
        };
      }
    }
  }
  return { dataset: imageStream(images, { name: `${caller} ${folder}` }), classes };
}

/** Refuses files without an image, and files of unequal lengths: a copy that broke off may end with a record. */
async function checkCounts(caller: string, paths: readonly string[], recordLength: number): Promise<void> {
  for (const path of paths) await checkFile(caller, path);
  const counts = await Promise.all(
    paths.map(async (path) => Math.floor((await stat(path)).size / recordLength)),
  );
  const expected = Math.max(1, ...counts);
  for (const [i, path] of paths.entries()) {
    // A file that ends within a record is named where it is read.
    if (counts[i] === expected || (await stat(path)).size % recordLength !== 0) continue;
    const wanted = paths.length > 1 ? `${expected} images, as another file has` : "1 image or more";
    throw new Error(`${caller}: ${path}: expected ${wanted}, got ${counts[i]}`);
  }
}

/** From a plane for each colour to a colour for each pixel. */
function interleave(planes: Buffer): Uint8Array {
  const pixels = new Uint8Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let colour = 0; colour < 3; colour++) pixels[3 * i + colour] = planes[colour * plane + i];
  }
  return pixels;
}
