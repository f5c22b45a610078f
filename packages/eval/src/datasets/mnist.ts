import { type CustomImage, imageStream } from "@dcr-js/data";
import { checkChoice, checkOptions, checkText } from "../shared/check-options.js";
import type { LabelledImages } from "./labelled-images.js";
import { plainOrGzip, readRecords } from "./published-files.js";

const side = 28;

export interface MNISTOptions {
  /** Default `"test"`, 10,000 images; `"train"` has 60,000. */
  split?: "train" | "test";
}

/**
 * MNIST (LeCun et al. 1998), and Fashion-MNIST and KMNIST in the same form, from `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte` or
 * `train-...`, with or without `.gz`. Grey levels become equal red, green and blue. The classes are `"0"` to `"9"`.
 *
 * @throws where a file is missing, or while reading, where it is no such file or ends early
 */
export async function mnist(folder: string, options?: MNISTOptions): Promise<LabelledImages> {
  checkText("mnist: folder", folder);
  const checked = checkOptions("mnist", options, { split: true });
  const split = checkChoice("mnist: split", checked.split ?? "test", ["train", "test"]);
  const prefix = split === "test" ? "t10k" : "train";
  const imagePath = await plainOrGzip("mnist", folder, `${prefix}-images-idx3-ubyte`);
  const labelPath = await plainOrGzip("mnist", folder, `${prefix}-labels-idx1-ubyte`);
  async function* images(): AsyncGenerator<CustomImage> {
    const counts = { images: -1, labels: -1 };
    const labels = readRecords("mnist", labelPath, {
      record: 1,
      header: 8,
      checkHeader: (header) => {
        counts.labels = checkHeader(header, []);
      },
    });
    const pixels = readRecords("mnist", imagePath, {
      record: side * side,
      header: 16,
      checkHeader: (header) => {
        counts.images = checkHeader(header, [side, side]);
      },
    });
    let index = 0;
    let isMore = false;
    try {
      for await (const grey of pixels) {
        const label = (await labels.next()).value?.[0];
        if (index === counts.images) {
          throw new Error(
            `mnist: ${imagePath} has more than the ${counts.images} images that its header tells`,
          );
        }
        if (label === undefined) throw new Error(`mnist: ${labelPath} has no label for image ${index}`);
        if (label > 9) throw new Error(`mnist: ${labelPath}: label ${index} must be 0 to 9, got ${label}`);
        const data = Uint8Array.from({ length: 3 * grey.length }, (_, at) => grey[Math.floor(at / 3)]);
        yield {
          name: `${prefix}/${index++}`,
          image: { data, width: side, height: side },
          label: String(label),
        };
      }
      isMore = !(await labels.next()).done;
    } finally {
      // A generator that is not read to its end keeps its file open.
      await labels.return(undefined);
    }
    if (counts.images === 0) throw new Error(`mnist: ${imagePath} has no images`);
    if (index === 0) {
      throw new Error(`mnist: ${imagePath}: expected ${counts.images} images, as its header says, got 0`);
    }
    if (isMore && counts.labels === index) {
      throw new Error(`mnist: ${labelPath} has more than the ${counts.labels} labels that its header tells`);
    }
    for (const [name, count] of Object.entries(counts)) {
      if (count !== index)
        throw new Error(
          `mnist: ${folder}: expected ${count} ${name}, as their file says, got ${index} images`,
        );
    }
  }
  const classes = Array.from({ length: 10 }, (_, digit) => String(digit));
  return { dataset: imageStream(images, { name: `mnist ${folder} ${split}` }), classes };
}

/** Checks an idx header: two zeros, the type of unsigned bytes, the axes and their lengths. @returns how many records follow */
function checkHeader(header: Buffer, shape: readonly number[]): number {
  const axes = header.readUInt32BE(0) - 0x0800;
  const lengths = shape.map((_, i) => header.readUInt32BE(8 + 4 * i));
  if (axes !== shape.length + 1 || lengths.some((length, i) => length !== shape[i])) {
    throw new Error(
      `no idx file of unsigned bytes with ${shape.length + 1} axes${shape.length ? `, ${shape.join(" x ")} each` : ""}`,
    );
  }
  return header.readUInt32BE(4);
}
