// Memory and time of a loss with its gradient on one large batch, in blocks: node benchmarks/src/large-batch.mjs [n] [blockSize] [infoNCE|clipLoss|supCon]
// Prints the process's peak before and after. Needs built packages.
import { clipLoss, infoNCE, supCon } from "@dcr-js/contrastive";
import { initialize, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

const [n = 16384, blockSize = 512] = process.argv.slice(2, 4).map(Number);
const losses = {
  infoNCE: (x, y) => infoNCE(x, y, { blockSize }),
  clipLoss: (x, y) => clipLoss(x, y, 100, { blockSize }),
  // Two views of each image, in all n rows.
  supCon: (x) =>
    supCon(
      x,
      Int32Array.from({ length: n }, (_, i) => i >> 1),
      { blockSize },
    ),
};
const name = process.argv[4] ?? "infoNCE";
if (!Object.hasOwn(losses, name)) throw new Error(`expected one of ${Object.keys(losses)}, got ${name}`);
const dim = 512;
const peak = () => (process.resourceUsage().maxRSS / 1024).toFixed(0);
await initialize({ device: "wasm" });
const rows = Array.from({ length: losses[name].length }, (_, i) => new Random(i + 1).normal([n, dim]));
const before = peak();
const began = performance.now();
const { value, grads } = tf.valueAndGrads(losses[name])(rows);
const [loss] = await value.data();
const lengths = await Promise.all(
  grads.map(async (gradient) => (await tf.norm(gradient).data())[0].toExponential(3)),
);
const seconds = ((performance.now() - began) / 1000).toFixed(1);
console.log(
  `${name}, n ${n}, width ${dim}, blocks of ${blockSize}: loss ${loss.toFixed(4)}, gradients of norm ${lengths}, ${seconds} s, ` +
    `peak of the process ${before} MiB before, ${peak()} MiB after`,
);
