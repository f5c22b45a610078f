import { checkOptions, describe } from "../shared/check-options.js";
import {
  type CustomImage,
  customEntry,
  fingerprintOf,
  type IndexedDataset,
  type StreamedDataset,
  sortedLabels,
} from "./dataset.js";

/**
 * Images that are in memory, or paths that a program lists itself.
 *
 * @param images checked at once: form, and float32 pixels in [0, 1]
 * @throws if the list is empty or an image has another form, with its place
 *
 * @example
 * const dataset = imageArray([{ name: "red", image: { data: new Uint8Array([255, 0, 0]), width: 1, height: 1 } }]);
 */
export function imageArray(images: readonly CustomImage[]): IndexedDataset {
  if (!Array.isArray(images) || images.length === 0) {
    throw new TypeError(`imageArray: images must be a list of at least one image, got ${describe(images)}`);
  }
  const entries = images.map((item, i) => customEntry(`imageArray: images[${i}]`, item, i));
  return {
    access: "random",
    description: "the list of images",
    fingerprint: fingerprintOf(
      "array",
      entries.map(({ name }) => name),
    ),
    length: entries.length,
    labels: sortedLabels(entries.map(({ label }) => label)),
    entry: (index) => entries[index]!,
  };
}

type ImageIterable = AsyncIterable<CustomImage> | Iterable<CustomImage>;

export interface ImageStreamOptions {
  /** Tells this stream from others, for positions that are saved. Default "stream". */
  name?: string;
}

/**
 * Images that a program hands out one after the other.
 *
 * @param source an iterable, or a function that returns a new one for each epoch. A position is restored by reading a new one from
 *   its beginning, so it must give the same images each time
 * @throws while reading, if an image has another form, with its place
 *
 * @example
 * const dataset = imageStream(async function* () {
 *   for (const file of files) yield { name: file, image: await readFile(file) };
 * });
 */
export function imageStream(
  source: ImageIterable | (() => ImageIterable),
  options?: ImageStreamOptions,
): StreamedDataset {
  const { name = "stream" } = checkOptions("imageStream", options, { name: true });
  if (typeof name !== "string")
    throw new TypeError(`imageStream: name must be a text, got ${describe(name)}`);
  const restartable = typeof source === "function" || !isOneShot(source);
  let opened = false;
  return {
    access: "stream",
    description: `the stream "${name}"`,
    fingerprint: fingerprintOf("stream", [name]),
    shards: 1,
    restartable,
    async *open() {
      if (opened && !restartable) {
        throw new Error(
          `imageStream: ${name} can be read only once; pass a function that returns a new iterable`,
        );
      }
      opened = true;
      const iterable = typeof source === "function" ? source() : source;
      if (!isIterable(iterable)) {
        const came = (iterable as unknown) instanceof Promise ? "a Promise" : describe(iterable);
        throw new TypeError(`imageStream: ${name} must be an iterable or return one, got ${came}`);
      }
      let index = 0;
      const where = () => `imageStream: image ${index} of ${name}`;
      for await (const item of iterable) {
        yield customEntry(where(), item, index);
        index++;
      }
    },
  };
}

function isIterable(value: unknown): value is ImageIterable {
  return (
    typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
  );
}

/** Generators and other iterators, Node's readable streams and the web's end for good. To ask them for an iterator would use them up. */
const isOneShot = (source: ImageIterable): boolean =>
  ["next", "pipe", "getReader"].some((method) => method in Object(source));
