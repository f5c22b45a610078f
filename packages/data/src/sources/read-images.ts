import { BrokenImages } from "../pipeline/broken-images.js";
import type { ImageResult } from "../pipeline/image-task.js";
import { mapAhead } from "../pipeline/map-ahead.js";
import {
  type CheckedReading,
  checkReadingOptions,
  maxBatchSize,
  type ReadingOptions,
  readingOptionNames,
} from "../pipeline/reading-options.js";
import { startWorkerPool } from "../pipeline/worker-pool.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { checkEvalTransform, type EvalTransform } from "../transforms/eval-transform.js";
import { checkDataset, type ImageDataset, type ImageEntry } from "./dataset.js";

export interface ReadImagesOptions extends ReadingOptions {
  /** Images in a batch; the last one may have fewer. Default 32. */
  batchSize?: number;
}

/** A batch of images for evaluation. */
export interface EvalBatch {
  names: string[];
  /** `[n, height, width, 3]`, row by row, channels last. */
  images: Float32Array;
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** Of each image, where it has one. */
  captions: (string | undefined)[];
  /** The class of each image, where it has one. */
  labels: (string | undefined)[];
}

/**
 * Reads every image once, in the data set's order: sorted by path in a folder, as listed or packed elsewhere.
 *
 * Broken images are skipped and reported; see `strict`, `maxBroken` and `onBroken`. Ending the loop early ends the workers.
 *
 * @param transform an image processor's settings; images must come out in one size
 * @returns batches in host memory, for one reader
 * @throws while reading, where images differ in size, too many are broken, or there are none
 *
 * @example
 * for await (const { names, images, width, height } of readImages(dataset, {
 *   resize: { shortestEdge: 224 },
 *   crop: { width: 224, height: 224 },
 * })) {
 *   const pixels = tf.tensor(images, [names.length, height, width, 3]);
 * }
 */
export function readImages(
  dataset: ImageDataset,
  transform: EvalTransform,
  options?: ReadImagesOptions,
): AsyncGenerator<EvalBatch> {
  checkDataset("readImages: dataset", dataset);
  const given = checkOptions("readImages", options, { ...readingOptionNames, batchSize: true });
  const batchSize = checkNumber("readImages: batchSize", given.batchSize ?? 32, {
    min: 1,
    max: maxBatchSize,
    integer: true,
  });
  const checked = checkEvalTransform("readImages", transform);
  return batches(dataset, checked, { ...checkReadingOptions("readImages", given), batchSize });
}

async function* batches(
  dataset: ImageDataset,
  transform: EvalTransform,
  { batchSize, workers, prefetch, decode, ...broken }: CheckedReading & { batchSize: number },
): AsyncGenerator<EvalBatch> {
  const expected = dataset.access === "random" ? dataset.length : undefined;
  const counts = new BrokenImages("readImages", broken, expected);
  const pool = startWorkerPool("readImages", { kind: "evaluation", transform, decode }, workers);
  // The process may end while the reader holds a batch and asks for no other.
  const handOut = async function* (rows: Row[]): AsyncGenerator<EvalBatch> {
    pool.unref();
    yield pack(rows);
    pool.ref();
  };
  pool.ref();
  try {
    const results = mapAhead(allEntries(dataset), prefetch * batchSize, async (entry) => {
      const { name, content } = entry;
      return { entry, result: await pool.run({ name, content, epoch: 0 }) };
    });
    let rows: Row[] = [];
    let first: Row | undefined;
    for await (const { entry, result } of results) {
      if ("broken" in result) {
        counts.addBroken({ name: entry.name, reason: result.broken });
        continue;
      }
      counts.addRead();
      const row = { entry, result };
      first ??= row;
      checkSameSize(first, row);
      rows.push(row);
      if (rows.length === batchSize) {
        yield* handOut(rows);
        rows = [];
      }
    }
    if (counts.read === 0) throw new Error(`readImages: ${dataset.description} holds no images`);
    counts.endEpoch();
    if (rows.length > 0) yield* handOut(rows);
  } finally {
    await pool.close();
  }
}

interface Row {
  entry: ImageEntry;
  result: Exclude<ImageResult, { broken: string }>;
}

async function* allEntries(dataset: ImageDataset): AsyncGenerator<ImageEntry> {
  if (dataset.access === "random") {
    for (let i = 0; i < dataset.length; i++) yield dataset.entry(i);
  } else {
    for (let shard = 0; shard < dataset.shards; shard++) yield* dataset.open(shard);
  }
}

function checkSameSize(first: Row, row: Row): void {
  const [a, b] = [first, row].map(({ result }) => `${result.width} x ${result.height}`);
  if (a === b) return;
  throw new Error(
    `readImages: images must come out in one size, got ${a} for ${first.entry.name} and ${b} for ${row.entry.name}; set transform.crop`,
  );
}

function pack(rows: Row[]): EvalBatch {
  const { width, height } = rows[0]!.result;
  const images = new Float32Array(rows.length * width * height * 3);
  for (const [i, { result }] of rows.entries()) images.set(result.views[0]!, i * width * height * 3);
  return {
    names: rows.map(({ entry }) => entry.name),
    images,
    width,
    height,
    captions: rows.map(({ entry }) => entry.caption),
    labels: rows.map(({ entry }) => entry.label),
  };
}
