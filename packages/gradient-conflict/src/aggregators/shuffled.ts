import { checkNumber } from "../shared/check-options.js";

/** Uniform numbers in [0, 1) that are a function of three integers only (mulberry32). */
export function seededNumbers([seed, step, index]: readonly [number, number, number]): () => number {
  let state =
    Math.imul(seed ^ Math.imul(step + 1, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The numbers `0..m-1` without `left`, in an order drawn from `seed`, `step` and `left` only (Fisher-Yates). */
export function shuffledOthers(m: number, left: number, seed: number, step: number): number[] {
  const next = seededNumbers([seed, step, left]);
  const order = Array.from({ length: m }, (_, i) => i).filter((i) => i !== left);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** In which order a gradient meets the others. */
export interface OrderOptions {
  /** An integer of at least 0. Default 0. */
  seed?: number;
  /** Whether the order is drawn anew at each step, as published; else it is the losses'. Default true. */
  shuffle?: boolean;
}

/** Checks the options of the order for the aggregator `caller`. */
export function checkOrder(
  caller: string,
  { seed = 0, shuffle = true }: OrderOptions,
): Required<OrderOptions> {
  checkNumber(`${caller}: seed`, seed, { min: 0, integer: true });
  return { seed, shuffle };
}

/** The others in the order in which gradient `left` meets them. */
export function orderOfOthers(
  m: number,
  left: number,
  step: number,
  { seed, shuffle }: Required<OrderOptions>,
): number[] {
  if (shuffle) return shuffledOthers(m, left, seed, step);
  return Array.from({ length: m }, (_, i) => i).filter((i) => i !== left);
}
