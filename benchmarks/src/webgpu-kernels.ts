// Our WebGPU kernels beside tfjs-backend-webgpu's, on the same adapter and in the same run, turn by turn, so that a busy
// machine slows both. Prints GFLOP/s where the work is arithmetic, milliseconds where it is memory, and the ratio.
import {
  layerNorm,
  registerWebGPUBackend,
  requestWebGPUDevice,
  scaledDotProductAttention,
  webgpuBackendName,
} from "@dcr-js/tensor";
import { WebGPUBackend as OfficialBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";

interface Workload {
  name: string;
  /** Floating-point operations, where they are the measure. */
  flops?: number;
  inputs: () => tf.Tensor[];
  run: (...inputs: tf.Tensor[]) => tf.Tensor;
}

const random = (...shape: number[]) =>
  tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, Math.random), shape);

const matmul = (n: number, transposed: boolean): Workload => ({
  name: `matmul ${n}${transposed ? ", B transposed" : ""}`,
  flops: 2 * n ** 3,
  inputs: () => [random(n, n), random(n, n)],
  run: (a, b) => tf.matMul(a, b, false, transposed),
});

const [batch, side, channels] = [8, 32, 64];
const image = () => random(batch, side, side, channels);
const filter = () => random(3, 3, channels, channels);
const convolution = { strides: 1, pad: "same", dataFormat: "NHWC", dimRoundingMode: null };
const convolutionFlops = 2 * batch * side * side * 9 * channels * channels;
const kernel = (name: string, inputs: Record<string, tf.Tensor>, attrs: object) =>
  tf.engine().runKernel(name, inputs, attrs as tf.NamedAttrMap) as tf.Tensor;

const workloads: Workload[] = [
  matmul(256, false),
  matmul(512, false),
  matmul(1024, false),
  matmul(512, true),
  {
    name: `conv2d 3x3 [${batch}, ${side}, ${side}, ${channels}]`,
    flops: convolutionFlops,
    inputs: () => [image(), filter()],
    run: (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same"),
  },
  {
    name: "conv2d 3x3, gradient of the input",
    flops: convolutionFlops,
    inputs: () => [image(), filter()],
    run: (dy, w) =>
      kernel("Conv2DBackpropInput", { dy, filter: w }, { ...convolution, inputShape: dy.shape }),
  },
  {
    name: "conv2d 3x3, gradient of the filter",
    flops: convolutionFlops,
    inputs: () => [image(), image()],
    run: (x, dy) =>
      kernel("Conv2DBackpropFilter", { x, dy }, { ...convolution, filterShape: [3, 3, channels, channels] }),
  },
  { name: "softmax [4096, 256]", inputs: () => [random(4096, 256)], run: (x) => tf.softmax(x) },
  {
    name: "layerNorm [4096, 256]",
    inputs: () => [random(4096, 256), random(256), random(256)],
    run: (x, weight, bias) => layerNorm(x, weight as tf.Tensor1D, bias as tf.Tensor1D),
  },
  {
    name: "attention [8, 256, 4 heads of 32]",
    inputs: () => [random(8, 256, 128), random(8, 256, 128), random(8, 256, 128)],
    run: (q, k, v) =>
      scaledDotProductAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { heads: 4 }),
  },
  { name: "sum [8192, 256] over rows", inputs: () => [random(8192, 256)], run: (x) => tf.sum(x, 0) },
  {
    name: "transpose [32, 256, 256]",
    inputs: () => [random(32, 256, 256)],
    run: (x) => tf.transpose(x, [0, 2, 1]),
  },
  { name: "add [2^21]", inputs: () => [random(2 ** 21), random(2 ** 21)], run: (a, b) => tf.add(a, b) },
  {
    name: "200 small ops, [4096]",
    // Larger than what the official backend computes on the host.
    inputs: () => [random(4096)],
    run: (x) => {
      let y = x;
      for (let i = 0; i < 200; i++) y = tf.add(y, x);
      return y;
    },
  },
];

const found = await requestWebGPUDevice();
const other = await requestWebGPUDevice();
registerWebGPUBackend(found);
// The official backend refuses to start where it sees no navigator.gpu, even when it is handed a device.
Object.defineProperty(globalThis, "navigator", { value: { gpu: {} }, configurable: true });
type AdapterInfo = ConstructorParameters<typeof OfficialBackend>[1];
tf.registerBackend(
  "webgpu",
  () => new OfficialBackend(other.device, other.device.adapterInfo as AdapterInfo),
);

const names = [webgpuBackendName, "webgpu"];
const rounds = Number(process.argv[2] ?? 7);
const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

console.log(`${found.name}, ${rounds} rounds, medians\n`);
console.log(
  `${"".padEnd(36)}${"ours".padStart(14)}${"official".padStart(14)}${"ours is faster by".padStart(20)}`,
);
for (const { name, flops, inputs, run } of workloads) {
  const times: number[][] = [[], []];
  const own: tf.Tensor[][] = [];
  const one = async (which: number): Promise<number> => {
    await tf.setBackend(names[which]);
    if (tf.getBackend() !== names[which])
      throw new Error(`tfjs runs "${tf.getBackend()}", not "${names[which]}"`);
    own[which] ??= inputs();
    const start = performance.now();
    const y = tf.tidy(() => tf.sum(tf.slice(tf.reshape(run(...own[which]), [-1]), [0], [1])));
    await y.data();
    const elapsed = performance.now() - start;
    y.dispose();
    return elapsed;
  };
  // The first round uploads and compiles.
  for (const which of [0, 1]) await one(which);
  for (let round = 0; round < rounds; round++) {
    for (const which of [0, 1]) times[which].push(await one(which));
  }
  for (const which of [0, 1]) {
    await tf.setBackend(names[which]);
    tf.dispose(own[which]);
  }
  const [ours, official] = times.map(median);
  const figure = (ms: number) => (flops ? `${(flops / ms / 1e6).toFixed(1)} GF/s` : `${ms.toFixed(2)} ms`);
  console.log(
    `${name.padEnd(36)}${figure(ours).padStart(14)}${figure(official).padStart(14)}${`${(official / ours).toFixed(2)} x`.padStart(20)}`,
  );
}
process.exit(0);
