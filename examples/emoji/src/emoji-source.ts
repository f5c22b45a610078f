import type { ImageBatch, ImageSource, SourcePosition } from "@dcr-js/data";
import { Random } from "@dcr-js/tensor";
import { type AugmentOptions, augmentView } from "./data/augment-view.js";
import { IMAGE_SIZE, imageAt } from "./data/images.js";

export interface EmojiSourceOptions {
  /** `[n, 32, 32, 3]` bytes. */
  images: Uint8Array;
  /** The rows of `images` that are drawn from. */
  rows: readonly number[];
  batchSize: number;
  seed: number;
  augment: AugmentOptions;
}

/**
 * The emoji as a source of training batches: epochs in random order, each a function of the seed and its number, so that methods see
 * the same images. What does not fill a batch is left out, in every epoch something else.
 */
export function emojiSource({ images, rows, batchSize, seed, augment }: EmojiSourceOptions): ImageSource {
  if (batchSize > rows.length) {
    throw new Error(`batch: must be at most ${rows.length}, the number of images, got ${batchSize}`);
  }
  const perEpoch = Math.floor(rows.length / batchSize);
  const random = new Random(seed);
  let done = 0;
  return {
    length: rows.length,
    batchSize,
    size: IMAGE_SIZE,
    position: () => ({ batch: done }),
    restore: (position: SourcePosition) => {
      const { batch } = position;
      if (!Number.isSafeInteger(batch) || (batch as number) < 0) {
        throw new Error(`emoji: batch must be an integer, at least 0, got ${batch}`);
      }
      done = batch as number;
    },
    close: async () => {},
    async *[Symbol.asyncIterator]() {
      for (;;) yield readBatch(done++);
    },
  };

  function readBatch(batch: number): ImageBatch {
    const order = random
      .fork("order")
      .fork(Math.floor(batch / perEpoch))
      .permutation(rows.length);
    const first = (batch % perEpoch) * batchSize;
    const chosen = Array.from(order.subarray(first, first + batchSize), (i) => rows[i]);
    const views = random.fork("augment").fork(batch);
    const values = IMAGE_SIZE * IMAGE_SIZE * 3;
    const stacked = new Float32Array(batchSize * values);
    const augmented = new Float32Array(batchSize * values);
    for (const [i, row] of chosen.entries()) {
      const image = imageAt(images, row);
      stacked.set(image, i * values);
      augmented.set(augmentView(image, IMAGE_SIZE, views, augment), i * values);
    }
    return { names: chosen.map(String), size: IMAGE_SIZE, images: stacked, augmented };
  }
}
