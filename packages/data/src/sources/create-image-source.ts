import { BrokenImages } from "../pipeline/broken-images.js";
import type { ImageResult, Recipe } from "../pipeline/image-task.js";
import { mapAhead } from "../pipeline/map-ahead.js";
import { beginning, inOrder, type OrderOptions, type Step, shareOf } from "../pipeline/order.js";
import {
  checkReadingOptions,
  maxBatchSize,
  type ReadingOptions,
  readingOptionNames,
} from "../pipeline/reading-options.js";
import { startWorkerPool, type WorkerPool } from "../pipeline/worker-pool.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { checkViewOptions, type ViewOptions } from "../transforms/training-views.js";
import { checkDataset, type ImageDataset } from "./dataset.js";
import type { ImageBatch, ImageSource, SourcePosition } from "./image-source.js";
import { fromPosition, type PositionOwner, type SourceState, toPosition } from "./source-position.js";

export interface ImageSourceOptions extends ViewOptions, ReadingOptions {
  /** Images in a batch. */
  batchSize: number;
  /** An integer in [0, 2^53). Default 0. */
  seed?: number;
  /** Whether each epoch has an order of its own. Default true. */
  shuffle?: boolean;
  /** Streamed images that are shuffled among themselves, at most. Default 1000. */
  shuffleBuffer?: number;
  /** Which of `world` processes this is, from 0. Default 0. */
  rank?: number;
  /** Processes that share the images of each epoch. Default 1. */
  world?: number;
}

const caller = "createImageSource";

/**
 * Batches of training images without end, epoch after epoch: the training crop and the augmented view of each image.
 *
 * Worker threads decode and transform ahead of the reader, by `prefetch` batches and no more. The batches are a function of the
 * data, the options and the seed; `workers` and `prefetch` change nothing. Images that do not fill a batch at an epoch's end are left
 * out, so that no batch holds an image twice. Of a folder, a table or a list every rank has the same number of images in an epoch, so
 * that this holds for the batches of all ranks together too; ranks of shards and streams, and those that skip broken images, may end
 * their epochs at different steps.
 *
 * Broken images are skipped and reported, and the next image takes their place; see `strict`, `maxBroken` and `onBroken`.
 *
 * @returns a source for one reader; it reads when it is first asked for a batch, and `close()` ends its workers
 * @throws on an unknown option, on a value out of range, and where the data hold fewer images than a batch
 *
 * @example
 * const source = await createImageSource(await openImages("photos"), { batchSize: 16, size: 224, seed: 1 });
 * for await (const { names, images, augmented } of source) {
 *   // one step
 *   if (done) break;
 * }
 * await source.close();
 */
export async function createImageSource(
  dataset: ImageDataset,
  options: ImageSourceOptions,
): Promise<ImageSource> {
  checkDataset(`${caller}: dataset`, dataset);
  const given = checkOptions(caller, options, {
    ...readingOptionNames,
    batchSize: true,
    size: true,
    crop: true,
    augment: true,
    resample: true,
    seed: true,
    shuffle: "boolean",
    shuffleBuffer: true,
    rank: true,
    world: true,
  });
  const { shuffle = true, shuffleBuffer = 1000, seed = 0, world = 1, rank = 0 } = given;
  checkNumber(`${caller}: world`, world, { min: 1, integer: true });
  const order: OrderOptions = {
    seed: checkNumber(`${caller}: seed`, seed, { min: 0, integer: true }),
    shuffle,
    shuffleBuffer: checkNumber(`${caller}: shuffleBuffer`, shuffleBuffer, {
      min: 1,
      max: 1e7,
      integer: true,
    }),
    rank: checkNumber(`${caller}: rank`, rank, { min: 0, below: world, integer: true }),
    world,
  };
  const batchSize = checkNumber(`${caller}: batchSize`, given.batchSize, {
    min: 1,
    max: maxBatchSize,
    integer: true,
  });
  const views = checkViewOptions(caller, given);
  const reading = checkReadingOptions(caller, given);
  await checkEnoughImages(dataset, batchSize, order);
  const { decode } = reading;
  // Only streamed images depend on the buffer.
  const buffer = dataset.access === "stream" ? order.shuffleBuffer : undefined;
  const settings = { batchSize, ...order, shuffleBuffer: buffer, ...views, decode };
  return new DatasetImageSource({
    dataset,
    batchSize,
    order,
    reading,
    settings,
    recipe: { kind: "training", views, seed, decode },
  });
}

/** Refuses a batch that an epoch cannot fill. Of streamed data, no more is read than a batch. */
async function checkEnoughImages(
  dataset: ImageDataset,
  batchSize: number,
  order: OrderOptions,
): Promise<void> {
  const { rank, world } = order;
  const needed = batchSize * world;
  let found = 0;
  if (dataset.access === "random") {
    if (shareOf(dataset.length, order) >= batchSize) return;
    found = dataset.length;
  } else {
    // Reading ahead would use up a stream that can be read only once. The end of its epoch shows whether it was enough.
    if (!dataset.restartable) return;
    for (let shard = 0; shard < dataset.shards && found < needed; shard++) {
      for await (const _ of dataset.open(shard)) if (++found >= needed) break;
    }
    if (found >= needed) return;
  }
  const ofRank = world > 1 ? `, which rank ${rank} shares with ${world - 1} other processes` : "";
  throw new Error(
    `${caller}: batchSize ${batchSize} is more than there are images: ${dataset.description} holds ${found}${ofRank}`,
  );
}

interface SourceParts {
  dataset: ImageDataset;
  batchSize: number;
  order: OrderOptions;
  reading: ReturnType<typeof checkReadingOptions>;
  settings: Record<string, unknown>;
  recipe: Recipe & { kind: "training" };
}

type Item = { step: Step; result?: ImageResult };

class DatasetImageSource implements ImageSource {
  readonly length?: number;
  readonly batchSize: number;
  readonly size: number;
  private readonly owner: PositionOwner;
  private readonly counts: BrokenImages;
  private state: SourceState = { place: beginning, read: 0, broken: 0, batches: 0 };
  private pool?: WorkerPool;
  private items?: AsyncGenerator<Item>;
  private abort = new AbortController();
  private reading = false;
  private ended?: Error;
  /** Ends the batch that is awaited. */
  private interrupt?: (reason: Error) => void;

  constructor(private readonly parts: SourceParts) {
    const { dataset, order, batchSize, recipe, settings } = parts;
    this.length = dataset.access === "random" ? shareOf(dataset.length, order) : undefined;
    this.batchSize = batchSize;
    this.size = recipe.views.size;
    // Saved positions are JSON, so they are compared with JSON.
    this.owner = { data: dataset.fingerprint, settings: JSON.parse(JSON.stringify(settings)) };
    this.counts = new BrokenImages(caller, parts.reading, this.length);
  }

  [Symbol.asyncIterator](): AsyncIterator<ImageBatch> {
    return { next: async () => ({ done: false, value: await this.next() }) };
  }

  position(): SourcePosition {
    return structuredClone(toPosition(this.owner, this.state));
  }

  restore(position: SourcePosition): void {
    if (this.ended) throw this.ended;
    if (this.reading) throw new Error(`${caller}.restore: a batch is being read`);
    const state = fromPosition(`${caller}.restore`, this.owner, position);
    if (this.length !== undefined && state.place.taken > this.length) {
      throw new Error(
        `${caller}.restore: position.taken must be at most ${this.length}, got ${state.place.taken}`,
      );
    }
    this.stopReadingAhead();
    this.state = state;
    this.counts.read = state.read;
    this.counts.broken = state.broken;
  }

  async close(): Promise<void> {
    this.ended ??= new Error(`${caller}: the source is closed`);
    this.interrupt?.(this.ended);
    this.stopReadingAhead();
    await this.pool?.close();
  }

  private stopReadingAhead(): void {
    this.abort.abort();
    this.abort = new AbortController();
    void this.items?.return(undefined).catch(() => {});
    this.items = undefined;
  }

  private async next(): Promise<ImageBatch> {
    if (this.ended) throw this.ended;
    if (this.reading) throw new Error(`${caller}: a batch is being read; a source has one reader`);
    this.reading = true;
    this.pool ??= startWorkerPool(caller, this.parts.recipe, this.parts.reading.workers);
    this.pool.ref();
    try {
      return await new Promise<ImageBatch>((resolve, reject) => {
        this.interrupt = reject;
        this.readBatch().then(resolve, reject);
      });
    } catch (error) {
      // A source that failed stays failed: images that were read ahead are lost, and a reader must not miss the gap.
      const first = this.ended ?? (error as Error);
      this.ended = first;
      await this.close();
      throw first;
    } finally {
      this.pool.unref();
      this.reading = false;
    }
  }

  private async readBatch(): Promise<ImageBatch> {
    this.items ??= this.readAhead(this.pool!);
    let { batches } = this.state;
    let rows: { name: string; views: Float32Array[] }[] = [];
    for (;;) {
      const { done, value } = await this.items.next();
      if (done) throw new Error(`${caller}: the source is closed`);
      const { step, result } = value;
      if ("end" in step) {
        this.endEpoch(batches);
        batches = 0;
        rows = [];
        continue;
      }
      const { name } = step.entry;
      if ("broken" in result!) {
        this.counts.addBroken({ name, reason: result.broken });
        continue;
      }
      this.counts.addRead();
      rows.push({ name, views: result!.views });
      if (rows.length < this.batchSize) continue;
      const { read, broken } = this.counts;
      this.state = { place: step.after, read, broken, batches: batches + 1 };
      return this.pack(rows);
    }
  }

  private readAhead(pool: WorkerPool): AsyncGenerator<Item> {
    const { dataset, order, reading, batchSize } = this.parts;
    const steps = inOrder(dataset, order, this.state.place, this.abort.signal);
    return mapAhead(steps, reading.prefetch * batchSize, async (step) => {
      if ("end" in step) return { step };
      const { name, content } = step.entry;
      return { step, result: await pool.run({ name, content, epoch: step.epoch }) };
    });
  }

  private endEpoch(batches: number): void {
    const { read, broken } = this.counts;
    this.counts.endEpoch();
    if (batches > 0) return;
    const { description } = this.parts.dataset;
    throw new Error(
      `${caller}: batchSize ${this.batchSize} is more than there are images: an epoch of ${description} gave ${read}, of which ${broken} are broken`,
    );
  }

  private pack(rows: { name: string; views: Float32Array[] }[]): ImageBatch {
    const { size } = this;
    const length = size * size * 3;
    const images = new Float32Array(rows.length * length);
    const augmented = new Float32Array(rows.length * length);
    for (const [i, { views }] of rows.entries()) {
      images.set(views[0]!, i * length);
      augmented.set(views[1]!, i * length);
    }
    return { names: rows.map(({ name }) => name), size, images, augmented };
  }
}
