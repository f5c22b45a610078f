// Memory and time of InfoNCE with its gradient on one large batch, in blocks: node benchmarks/src/large-batch.mjs [n] [blockSize]
// Prints the process's peak before and after. Needs built packages.
import { infoNCE } from "@dcr-js/contrastive";
import { initialize, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

const [n = 16384, blockSize = 512] = process.argv.slice(2).map(Number);
const dim = 512;
const peak = () => (process.resourceUsage().maxRSS / 1024).toFixed(0);
await initialize({ device: "wasm" });
const [a, b] = [1, 2].map((seed) => new Random(seed).normal([n, dim]));
const before = peak();
const began = performance.now();
const { value, grads } = tf.valueAndGrads((x, y) => infoNCE(x, y, { blockSize }))([a, b]);
const [loss] = await value.data();
const lengths = await Promise.all(
  grads.map(async (gradient) => (await tf.norm(gradient).data())[0].toExponential(3)),
);
const seconds = ((performance.now() - began) / 1000).toFixed(1);
console.log(
  `n ${n}, width ${dim}, blocks of ${blockSize}: loss ${loss.toFixed(4)}, gradients of norm ${lengths}, ${seconds} s, ` +
    `peak of the process ${before} MiB before, ${peak()} MiB after`,
);
