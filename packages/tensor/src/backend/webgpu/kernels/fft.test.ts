import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";

const normal = (seed: number, ...shape: number[]) =>
  tf.tensor(normalArray(seed, tf.util.sizeFromShape(shape)), shape);
const complex = (...shape: number[]) => tf.complex(normal(1, ...shape), normal(2, ...shape));

const cases: Record<string, Computation | Case> = {};
// One, primes, products of them, and powers of two and of three.
for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 30, 31, 64, 81, 97, 100, 128, 210, 1000, 1024]) {
  // The error grows with the logarithm of the length, and the cpu backend's own comes to it.
  const tolerance = { relative: 1e-5, absolute: 1e-6 * Math.sqrt(n) };
  cases[`fft of ${n}`] = { run: () => tf.fft(complex(2, n)), ...tolerance };
  cases[`ifft of ${n}`] = { run: () => tf.ifft(complex(2, n)), relative: 1e-5, absolute: 2e-6 };
}
Object.assign(cases, {
  "fft of a prime above the table of radices": {
    run: () => tf.fft(complex(1, 509)),
    relative: 1e-4,
    absolute: 1e-4,
  },
  "fft of batches": () => tf.fft(complex(2, 3, 12)),
  "there and back": { run: () => tf.ifft(tf.fft(complex(3, 60))), relative: 1e-5, absolute: 2e-6 },
  rfft: { run: () => tf.spectral.rfft(normal(1, 2, 20)), relative: 1e-5, absolute: 5e-6 },
  irfft: { run: () => tf.spectral.irfft(complex(2, 11)), relative: 1e-5, absolute: 5e-6 },
});

await describeAgainstCpu("Fourier transforms", cases);
