import { checkChoice, checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { philox } from "../shared/philox.js";

/** The purpose of a draw. Each purpose has numbers of its own, so that a new draw for one changes nothing for the others. */
export type Stream = "crop" | "augment" | "order" | "window";
const streams: readonly Stream[] = ["crop", "augment", "order", "window"];

/** A source of numbers in [0, 1). The random transforms draw from it. */
export interface Uniform {
  /** The next number in [0, 1). */
  next(): number;
}

/** The numbers are a function of these four. */
export interface DrawsOptions {
  /** An integer in [0, 2^53). */
  seed: number;
  /** An integer in [0, 2^32). */
  epoch: number;
  /** An image's name, or another text that tells draws apart. */
  name: string;
  stream: Stream;
}

/**
 * Seeded, counter-based random numbers (Philox 4x32-10): a function of seed, epoch, name and stream only. They are the same
 * in every worker, in any order of the images, and after a resume.
 */
export class Draws implements Uniform {
  private readonly key: readonly [number, number];
  private readonly name: readonly [number, number];
  private readonly epoch: number;
  private readonly block = new Uint32Array(4);
  private drawn = 0;

  constructor(options: DrawsOptions) {
    const { seed, epoch, name, stream } = checkOptions("Draws", options, {
      seed: true,
      epoch: true,
      name: true,
      stream: true,
    });
    checkNumber("Draws: seed", seed, { min: 0, integer: true });
    checkNumber("Draws: epoch", epoch, { min: 0, below: 2 ** 32, integer: true });
    if (typeof name !== "string") throw new TypeError(`Draws: name must be a string, got ${describe(name)}`);
    checkChoice("Draws: stream", stream, streams);
    // A seed has 53 bits, which leaves 11 of the key's 64 for the stream.
    this.key = [seed >>> 0, (Math.floor(seed / 2 ** 32) | (streams.indexOf(stream) << 21)) >>> 0];
    this.name = hashText(name);
    this.epoch = epoch;
  }

  next(): number {
    const at = this.drawn % 4;
    if (at === 0) philox(this.key, [this.drawn / 4, this.epoch, ...this.name], this.block);
    this.drawn++;
    return this.block[at]! / 2 ** 32;
  }
}

/** A number from U[low, high). */
export const uniform = (draws: Uniform, low: number, high: number): number =>
  low + (high - low) * draws.next();

/** An integer from 0 to n - 1. */
export const integer = (draws: Uniform, n: number): number => Math.floor(draws.next() * n);

/** 0..n-1 in random order (Fisher and Yates). */
export function permutation(draws: Uniform, n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = integer(draws, i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Two 32-bit words that depend on every character of a text, and on its order. */
export function hashText(text: string): [number, number] {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x85ebca6b);
    a ^= a >>> 15;
    b = Math.imul(b ^ code, 0xc2b2ae35);
    b ^= b >>> 13;
  }
  return [mix(a ^ text.length), mix(b ^ a)];
}

/** MurmurHash3's finalizer: every bit of the input changes about half of the bits of the result. */
function mix(word: number): number {
  let x = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
