import type { ImageBatch, ImageSource } from "@dcr-js/data";
import { checkFunction, describe } from "../shared/check-options.js";

/** Reads a source's batches in order and checks each; a source may be anybody's code. */
export interface BatchReader {
  /** @throws when the source ends, or gives something else than a batch of its size. */
  next(): Promise<ImageBatch>;
  /** Begins at the source's present position again, after its `restore`. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Reads a source as a stage does. @param source it stays the caller's */
export function readBatches(source: ImageSource): BatchReader {
  checkFunction("readBatches: source[Symbol.asyncIterator]", source?.[Symbol.asyncIterator]);
  let iterator: AsyncIterator<ImageBatch> | undefined;
  const close = async () => {
    const old = iterator;
    iterator = undefined;
    await old?.return?.();
  };
  return {
    next: async () => {
      iterator ??= source[Symbol.asyncIterator]();
      const { done, value } = await iterator.next();
      if (done) throw new Error("source: ended; a training source must go on epoch after epoch");
      checkBatch(value, source);
      return value;
    },
    restart: close,
    close,
  };
}

function checkBatch(batch: ImageBatch, { size, batchSize }: ImageSource): void {
  if (typeof batch !== "object" || batch === null) {
    throw new TypeError(`source: a batch must be an object, got ${describe(batch)}`);
  }
  if (batch.size !== size) {
    throw new Error(`source: a batch's size must be the source's, ${size}, got ${describe(batch.size)}`);
  }
  const { names } = batch;
  if (!Array.isArray(names) || names.length !== batchSize) {
    throw new Error(`source: a batch's names must be an array of ${batchSize}, got ${describe(names)}`);
  }
  const values = size * size * 3;
  for (const key of ["images", "augmented"] as const) {
    const given: unknown = batch[key];
    if (!(given instanceof Float32Array)) {
      throw new TypeError(`source: a batch's ${key} must be a Float32Array, got ${describe(given)}`);
    }
    if (given.length !== batchSize * values) {
      throw new Error(
        `source: a batch's ${key} must hold ${batchSize} x ${size} x ${size} x 3 = ${batchSize * values} values, got ${given.length}`,
      );
    }
    // The comparison is false for NaN too.
    const wrong = given.findIndex((value) => !(value >= 0 && value <= 1));
    if (wrong >= 0) {
      throw new RangeError(
        `source: a batch's ${key} must be in [0, 1], got ${given[wrong]} in ${describe(names[Math.floor(wrong / values)])}`,
      );
    }
  }
}
