import { type CheckedDecode, checkDecodeOptions, type DecodeOptions } from "../decode/decode-image.js";
import { checkNumber } from "../shared/check-options.js";
import type { BrokenOptions } from "./broken-images.js";
import { defaultWorkers } from "./worker-pool.js";

/** No machine holds more images at once. */
export const maxBatchSize = 2 ** 24;

/** How images are read, in training and in evaluation alike. */
export interface ReadingOptions extends BrokenOptions {
  /**
   * Worker threads that decode and transform; 0 for this thread. Default half of the processor's, at most 8. The images do not
   * depend on it.
   */
  workers?: number;
  /** Batches that are read ahead. Default 2. */
  prefetch?: number;
  /** Alpha, and the limit of pixels. */
  decode?: DecodeOptions;
}

/** Names of `ReadingOptions`, for `checkOptions`. */
export const readingOptionNames = {
  strict: "boolean",
  maxBroken: true,
  onBroken: "function",
  workers: true,
  prefetch: true,
  decode: true,
} as const;

export interface CheckedReading extends Required<BrokenOptions> {
  workers: number;
  prefetch: number;
  decode: CheckedDecode;
}

/** Checks how images are read and fills in the defaults. */
export function checkReadingOptions(caller: string, options: ReadingOptions): CheckedReading {
  const { strict = false, maxBroken = 0.1, prefetch = 2, workers = defaultWorkers() } = options;
  const { onBroken = ({ name, reason }) => console.warn(`${caller}: skipped: ${name} ${reason}`) } = options;
  return {
    strict,
    onBroken,
    maxBroken: checkNumber(`${caller}: maxBroken`, maxBroken, { min: 0, max: 1 }),
    workers: checkNumber(`${caller}: workers`, workers, { min: 0, max: 256, integer: true }),
    prefetch: checkNumber(`${caller}: prefetch`, prefetch, { min: 1, max: 1000, integer: true }),
    decode: checkDecodeOptions(`${caller}: decode`, options.decode),
  };
}
