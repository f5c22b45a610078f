import { Draws, permutation } from "../random/draws.js";
import type { ImageDataset, ImageEntry, IndexedDataset, StreamedDataset } from "../sources/dataset.js";

/** Where a reader stands in the endless sequence of epochs. */
export interface Place {
  epoch: number;
  /** Images taken: of the epoch where images have an index, of the window where they are streamed. */
  taken: number;
  /** The window of the shuffle, counted within the epoch. */
  window: number;
  /** Where the window begins: the place of the shard in the epoch's order, and images before it in the shard. */
  shard: number;
  sample: number;
}

export const beginning: Place = { epoch: 0, taken: 0, window: 0, shard: 0, sample: 0 };

/** The next image, or the end of an epoch, and the place after it. */
export type Step =
  | { entry: ImageEntry; epoch: number; after: Place }
  | { end: true; epoch: number; after: Place };

export interface OrderOptions {
  seed: number;
  shuffle: boolean;
  /** Images that are shuffled among themselves where data are streamed. */
  shuffleBuffer: number;
  rank: number;
  world: number;
}

/** A window ends early at this many bytes of files, so that large images do not fill the memory. */
const maxWindowBytes = 2 ** 28;

/**
 * The images of all epochs, in an order that is a function of the data and the options only.
 *
 * Images with an index are permuted, and ranks take every `world`-th; what is left over is left out. Of streamed data the order of the shards is permuted, ranks
 * take every `world`-th shard (every `world`-th image where there are fewer shards than ranks), and images are shuffled in
 * windows. A window can be read again from its beginning, so a place in it is a few numbers and holds no images.
 */
export async function* inOrder(
  dataset: ImageDataset,
  options: OrderOptions,
  from: Place,
  signal?: AbortSignal,
): AsyncGenerator<Step> {
  let place = from;
  while (!signal?.aborted) {
    const epoch = dataset.access === "random" ? indexedEpoch : streamedEpoch;
    yield* epoch(dataset as IndexedDataset & StreamedDataset, options, place, signal);
    place = { ...beginning, epoch: place.epoch + 1 };
    if (!signal?.aborted) yield { end: true, epoch: place.epoch - 1, after: place };
  }
}

/** How many of `length` images a rank has in an epoch: as many as every other, so that all ranks begin an epoch at the same step. */
export const shareOf = (length: number, { world }: { world: number }): number => Math.floor(length / world);

/** 0..n-1, in the epoch's order. */
function ordered(n: number, { seed, shuffle }: OrderOptions, epoch: number): Int32Array {
  if (!shuffle) return Int32Array.from({ length: n }, (_, i) => i);
  return permutation(new Draws({ seed, epoch, name: "epoch", stream: "order" }), n);
}

async function* indexedEpoch(
  dataset: IndexedDataset,
  options: OrderOptions,
  from: Place,
  signal?: AbortSignal,
): AsyncGenerator<Step> {
  const { rank, world } = options;
  const order = ordered(dataset.length, options, from.epoch);
  const share = shareOf(dataset.length, options);
  for (let taken = from.taken; taken < share && !signal?.aborted; taken++) {
    const entry = dataset.entry(order[rank + taken * world]!);
    yield { entry, epoch: from.epoch, after: { ...from, taken: taken + 1 } };
  }
}

/** A streamed image and the place after it. */
interface Sample {
  entry: ImageEntry;
  shard: number;
  sample: number;
}

async function* streamedEpoch(
  dataset: StreamedDataset,
  options: OrderOptions,
  from: Place,
  signal?: AbortSignal,
): AsyncGenerator<Step> {
  const { epoch } = from;
  const { seed, shuffle } = options;
  const samples = readShards(dataset, options, from, signal);
  const size = shuffle ? options.shuffleBuffer : 1;
  let start = { window: from.window, shard: from.shard, sample: from.sample };
  let { taken } = from;
  let filling = fillWindow(samples, size);
  try {
    for (;;) {
      const window = await filling;
      if (window.length === 0 || signal?.aborted) return;
      if (taken > window.length)
        throw new Error(`${dataset.description} has changed: the position is not in it`);
      // The next window is read while this one is handed out. Its error shows when its turn comes.
      filling = fillWindow(samples, size);
      filling.catch(() => {});
      const draws = new Draws({ seed, epoch, name: `window ${start.window}`, stream: "window" });
      const order = shuffle ? permutation(draws, window.length) : [0];
      const { shard, sample } = window.at(-1)!;
      const next = { window: start.window + 1, shard, sample };
      for (; taken < window.length; taken++) {
        const { entry } = window[order[taken]!]!;
        const after = taken + 1 < window.length ? { ...start, taken: taken + 1 } : { ...next, taken: 0 };
        yield { entry, epoch, after: { epoch, ...after } };
      }
      start = next;
      taken = 0;
    }
  } finally {
    // Closes the shard that is open. The return waits until the present window is filled; the reader does not wait for it.
    samples.return(undefined).catch(() => {});
  }
}

async function fillWindow(samples: AsyncGenerator<Sample>, size: number): Promise<Sample[]> {
  const window: Sample[] = [];
  let bytes = 0;
  while (window.length < size && bytes < maxWindowBytes) {
    const { done, value } = await samples.next();
    if (done) break;
    window.push(value);
    bytes += bytesOf(value.entry);
  }
  return window;
}

function bytesOf({ content }: ImageEntry): number {
  if ("bytes" in content) return content.bytes.byteLength;
  return "image" in content ? content.image.data.byteLength : 0;
}

/** A rank's images of an epoch from a place on, shard after shard. */
async function* readShards(
  dataset: StreamedDataset,
  options: OrderOptions,
  from: Place,
  signal?: AbortSignal,
): AsyncGenerator<Sample> {
  const { rank, world } = options;
  const order = ordered(dataset.shards, options, from.epoch);
  const byShard = dataset.shards >= world;
  const mine = byShard ? order.filter((_, i) => i % world === rank) : order;
  for (let shard = from.shard; shard < mine.length; shard++) {
    const skip = shard === from.shard ? from.sample : 0;
    let sample = 0;
    for await (const entry of dataset.open(mine[shard]!)) {
      if (signal?.aborted) return;
      sample++;
      // The shard's place is added so that the first image of each shard is not always the same rank's.
      const owned = byShard || (sample + shard) % world === rank;
      if (sample > skip && owned) yield { entry, shard, sample };
    }
  }
}
