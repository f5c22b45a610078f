// Memory and time of InfoNCE with its gradient on one large batch, in blocks: node benchmarks/src/large-batch.mjs [n] [blockSize]
// Prints the largest number of bytes in tensors and the process's peak. Needs built packages.
import { infoNCE } from "@dcr-js/contrastive";
import { initialize } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

const [n = 16384, blockSize = 512] = process.argv.slice(2).map(Number);
const dim = 512;
await initialize({ device: "wasm" });
const [a, b] = [1, 2].map((seed) => tf.randomNormal([n, dim], 0, 1, "float32", seed));
const began = performance.now();
const { value, grads } = tf.valueAndGrads((x, y) => infoNCE(x, y, { blockSize }))([a, b]);
const [loss] = await value.data();
await Promise.all(grads.map((gradient) => gradient.data()));
const seconds = ((performance.now() - began) / 1000).toFixed(1);
const peak = (process.resourceUsage().maxRSS / 1024).toFixed(0);
console.log(
  `n ${n}, width ${dim}, blocks of ${blockSize}: loss ${loss.toFixed(4)}, ${seconds} s, peak of the process ${peak} MiB`,
);
