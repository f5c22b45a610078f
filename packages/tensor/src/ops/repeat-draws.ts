import { observeDraws, type Random, type RandomState } from "../random.js";

/**
 * Runs a function for the first time and returns its result with a way to run another that draws the same random numbers: from
 * every `Random` and from `Math.random`, which tfjs's dropout and random ops take their seeds from. The repetition leaves
 * the streams where it found them.
 */
export function recordDraws<T>(f: () => T): { result: T; repeat: <U>(g: () => U) => U } {
  const starts = new Map<Random, RandomState>();
  const numbers: number[] = [];
  const { random } = Math;
  const draw = () => {
    const number = random();
    numbers.push(number);
    return number;
  };
  const note = (stream: Random) => {
    if (!starts.has(stream)) starts.set(stream, stream.state);
  };
  const result = withMathRandom(draw, () => observeDraws(f, note));
  return { result, repeat: (g) => repeat(g, starts, numbers) };
}

function repeat<T>(g: () => T, starts: ReadonlyMap<Random, RandomState>, numbers: readonly number[]): T {
  const now = Array.from(starts.keys(), (stream) => [stream, stream.state] as const);
  let drawn = 0;
  const draw = () => {
    if (drawn === numbers.length) {
      throw new Error(`checkpoint: fn drew more than the ${numbers.length} random numbers of its first run`);
    }
    return numbers[drawn++];
  };
  for (const [stream, state] of starts) stream.state = state;
  try {
    return withMathRandom(draw, g);
  } finally {
    for (const [stream, state] of now) stream.state = state;
  }
}

function withMathRandom<T>(random: () => number, f: () => T): T {
  const before = Math.random;
  Math.random = random;
  try {
    return f();
  } finally {
    Math.random = before;
  }
}
