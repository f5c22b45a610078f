import type { TensorInfo } from "@tensorflow/tfjs-core";
import { f32, u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";

/** Fours, then primes. */
function radices(n: number): number[] {
  const found: number[] = [];
  let rest = n;
  for (; rest > 0 && rest % 4 === 0; rest /= 4) found.push(4);
  for (let factor = 2; rest > 1; factor++) {
    // A number that no factor up to its root divides is prime.
    if (factor * factor > rest) factor = rest;
    for (; rest % factor === 0; rest /= factor) found.push(factor);
  }
  return found;
}

/** exp(sign 2 pi i j / n) for j < n, reckoned in float64, as pairs. */
function twiddles(n: number, sign: 1 | -1): Float32Array {
  const values = new Float32Array(2 * n);
  for (let j = 0; j < n; j++) {
    values[2 * j] = Math.cos((2 * Math.PI * j) / n);
    values[2 * j + 1] = sign * Math.sin((2 * Math.PI * j) / n);
  }
  return values;
}

/**
 * The discrete Fourier transform of the last axis of a complex64 tensor; the inverse divides by the length.
 *
 * Stockham's self-sorting algorithm in one pass for each factor r of the length n, so n (r_1 + r_2 + ...) products; a prime
 * length is the plain sum. After the factors whose product is p, `X[k, j]`, k < p, j < n / p, is the transform of length p of the
 * elements j, j + n / p, ..., and a pass gives, with q = n / (p r),
 *
 *     X'[k, j] = sum_{s < r} w^(s k q) X[k mod p, j + s q],   w = exp(-2 pi i / n).
 *
 * Twiddles come from a table by a running index, not from sin and cos of large arguments, of which adapters keep few digits.
 */
export function fft(backend: WebGPUBackend, input: TensorInfo, inverse: boolean): TensorInfo {
  const n = input.shape.at(-1)!;
  const shape = input.shape;
  const passes = radices(n);
  let parts = (["real", "imag"] as const).map((which) => backend.share(backend.part(input, which)));
  const table = backend.fromHost(twiddles(n, inverse ? 1 : -1), [n, 2], "float32");
  let done = 1;
  passes.forEach((radix, i) => {
    const next = [backend.output(shape, "float32"), backend.output(shape, "float32")];
    const elements = shape.reduce((product, size) => product * size, 1);
    backend.launch({
      name: inverse ? "IFFT" : "FFT",
      key: "",
      inputs: [
        { name: "re", info: parts[0] },
        { name: "im", info: parts[1] },
        { name: "table", info: table, type: "vec2<f32>" },
      ],
      outputs: [
        { name: "outRe", info: next[0] },
        { name: "outIm", info: next[1] },
      ],
      count: elements,
      uniforms: [
        u32("n", n),
        u32("done", done),
        u32("radix", radix),
        u32("q", n / (done * radix)),
        f32("scale", inverse && i === passes.length - 1 ? 1 / n : 1),
      ],
      body: () => `let at = index % u.n;
  let k = at / u.q;
  var source = index - at + (k % u.done) * u.q * u.radix + at % u.q;
  let step = k * u.q;
  var turn = 0u;
  var sum = vec2<f32>(0.0, 0.0);
  for (var s = 0u; s < u.radix; s++) {
    let w = load_table(turn);
    sum += vec2<f32>(load_re(source) * w.x - load_im(source) * w.y, load_re(source) * w.y + load_im(source) * w.x);
    source += u.q;
    turn += step;
    if (turn >= u.n) { turn -= u.n; }
  }
  store_outRe(index, sum.x * u.scale);
  store_outIm(index, sum.y * u.scale);`,
    });
    backend.disposeAll(...parts);
    parts = next;
    done *= radix;
  });
  backend.disposeAll(table);
  return backend.complex(parts[0], parts[1]);
}
