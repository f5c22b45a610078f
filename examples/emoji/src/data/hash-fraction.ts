import { createHash } from "node:crypto";

/**
 * A number in [0, 1) that is a function of the seed and the key alone: what splits are drawn with, so that an
 * item's side does not depend on how many others there are.
 */
export function hashFraction(seed: number, key: string): number {
  return createHash("sha256").update(`${seed}:${key}`).digest().readUInt32BE(0) / 2 ** 32;
}
