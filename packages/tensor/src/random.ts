import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkNumbers, describe } from "./shared/check-options.js";
import { philox } from "./shared/philox.js";

/** The largest float32 below a number. */
function largestBelow(x: number): number {
  const float = Float32Array.of(x);
  if (float[0] < x) return float[0];
  const bits = new Int32Array(float.buffer);
  if (float[0] === 0) return -(2 ** -149);
  bits[0] += float[0] > 0 ? -1 : 1;
  return float[0];
}

/** The state of a stream of random numbers, from which it goes on. */
export interface RandomState {
  /** The key: two unsigned 32-bit words. */
  key: [number, number];
  /** How many blocks of four words were taken. */
  counter: number;
}

/**
 * Seeded, counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy
 * as 1, 2, 3"). Drawn on the host, so they are bit-identical on every backend.
 */
export class Random {
  private key: [number, number];
  private counter = 0;

  /** @param seed an integer in [0, 2^53). */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new Error(`Random: seed must be an integer in [0, 2^53), got ${describe(seed)}`);
    }
    this.key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
  }

  get state(): RandomState {
    return { key: [...this.key], counter: this.counter };
  }

  set state({ key, counter }: RandomState) {
    checkNumbers("Random.state: key", key, { min: 0, below: 2 ** 32, integer: true });
    if (key.length !== 2) throw new RangeError(`Random.state: key must be two words, got ${key.length}`);
    checkNumber("Random.state: counter", counter, { min: 0, integer: true });
    this.key = [...key];
    this.counter = counter;
  }

  /** An independent stream, a function of this stream's key and the label only. */
  fork(label: string | number): Random {
    let [a, b] = [this.key[0], this.key[1] ^ 0x5bd1e995];
    const block = new Uint32Array(4);
    for (const character of `${typeof label}:${label}`) {
      philox([a, b], [character.codePointAt(0)!, 0x666f726b, 0, 0], block);
      [a, b] = block;
    }
    const child = new Random(0);
    child.key = [a, b];
    return child;
  }

  /** Goes on as if `n` words were drawn, for whoever makes them elsewhere. @returns the state that they begin at */
  take(n: number): RandomState {
    checkNumber("Random: n", n, { min: 0, integer: true });
    observer?.(this);
    const { state } = this;
    this.counter += Math.ceil(n / 4);
    return state;
  }

  /** `n` unsigned 32-bit words. */
  words(n: number): Uint32Array {
    const { key, counter } = this.take(n);
    const blocks = Math.ceil(n / 4);
    const out = new Uint32Array(blocks * 4);
    for (let i = 0; i < blocks; i++) {
      const count = counter + i;
      philox(key, [count >>> 0, Math.floor(count / 2 ** 32) >>> 0, 0, 0], out, 4 * i);
    }
    return out.subarray(0, n);
  }

  /** One number in [0, 1), with 32 random bits. */
  number(): number {
    return this.words(1)[0] / 2 ** 32;
  }

  /** `n` values from U[low, high) on the host, rounded to float32. */
  uniformArray(n: number, low = 0, high = 1): Float32Array {
    checkNumber("Random.uniform: low", low);
    checkNumber("Random.uniform: high", high, { min: low });
    const words = this.words(n);
    const out = new Float32Array(n);
    const scale = (high - low) / 2 ** 32;
    const last = largestBelow(high);
    for (let i = 0; i < n; i++) {
      out[i] = low + scale * words[i];
      // Rounding may reach `high`, which the interval leaves out.
      if (out[i] >= high && low < high) out[i] = last;
    }
    return out;
  }

  /** `n` values from N(0, 1) on the host, by Box and Muller's transform in float64, rounded to float32. */
  normalArray(n: number): Float32Array {
    const words = this.words(2 * Math.ceil(n / 2));
    const out = new Float32Array(words.length);
    for (let i = 0; i < words.length; i += 2) {
      // (word + 0.5) keeps the logarithm's argument above zero.
      const radius = Math.sqrt(-2 * Math.log((words[i] + 0.5) / 2 ** 32));
      const angle = (2 * Math.PI * words[i + 1]) / 2 ** 32;
      out[i] = radius * Math.cos(angle);
      out[i + 1] = radius * Math.sin(angle);
    }
    return out.subarray(0, n);
  }

  /** N(0, 1) of any shape. */
  normal(shape: number[]): tf.Tensor {
    return tf.tensor(this.normalArray(tf.util.sizeFromShape(shape)), shape, "float32");
  }

  /** U[low, high) of any shape. */
  uniform(shape: number[], low = 0, high = 1): tf.Tensor {
    return tf.tensor(this.uniformArray(tf.util.sizeFromShape(shape), low, high), shape, "float32");
  }

  /** `n` integers in [low, high). */
  integerArray(n: number, low: number, high: number): Int32Array {
    checkNumber("Random.integers: low", low, { integer: true, min: -(2 ** 31) });
    checkNumber("Random.integers: high", high, { integer: true, above: low, max: 2 ** 31 });
    return Int32Array.from(this.words(n), (word) => low + Math.floor((word / 2 ** 32) * (high - low)));
  }

  /** int32 integers in [low, high), of any shape. */
  integers(shape: number[], low: number, high: number): tf.Tensor {
    return tf.tensor(this.integerArray(tf.util.sizeFromShape(shape), low, high), shape, "int32");
  }

  /** 0..n-1 in random order (Fisher and Yates). */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    const words = this.words(n);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor((words[i] / 2 ** 32) * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

/** Is shown every stream just before it draws. */
let observer: ((stream: Random) => void) | null = null;

/** Runs `f` and shows `observe` every stream just before it draws. */
export function observeDraws<T>(f: () => T, observe: (stream: Random) => void): T {
  const outer = observer;
  observer = (stream) => {
    outer?.(stream);
    observe(stream);
  };
  try {
    return f();
  } finally {
    observer = outer;
  }
}
