import "@tensorflow/tfjs-backend-cpu";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expectClose, normalArray } from "@dcr-js/testing";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import * as contrastive from "./index.js";
import { segmentSum } from "./shared/segment-sum.js";

const [n, dim] = [6, 4];
const labels = [0, 0, 1, 1, 2, 2];
const lonely = [0, 0, 1, 2, 3, 4];
const rows = (seed: number) => tf.tensor2d(normalArray(seed, n * dim), [n, dim]);
const weights = () => tf.tensor2d(normalArray(3, 3 * dim), [3, dim]);
const centers = () => tf.tensor3d(normalArray(4, 6 * dim), [3, 2, dim]);

type Loss = (x: tf.Tensor2D, y: tf.Tensor2D) => tf.Tensor;
const library = contrastive as unknown as Record<string, (...args: unknown[]) => tf.Tensor>;
const named = (names: string, call: (loss: (...args: unknown[]) => tf.Tensor) => Loss): [string, Loss][] =>
  names.split(" ").map((name) => [name, call(library[name])]);
const ofLabels =
  "supCon ntXentFromLabels nca fastAP rankedList contrastiveLoss snrContrastive tripletLoss margin liftedStructure " +
  "generalizedLiftedStructure multiSimilarity circle angular tupletMargin nPairs";

const losses: [string, Loss][] = [
  ...named(
    "infoNCE ntXent decoupled debiased hardNegative alignment vicReg barlowTwins negativeCosine tiCo",
    (loss) => (x, y) => loss(x, y),
  ),
  ...named(ofLabels, (loss) => (x) => loss(x, labels)),
  ...named("supCon multiSimilarity fastAP circle", (loss) => (x) => {
    return loss(x, lonely, { withoutPositives: "skip" });
  }).map(([name, loss]): [string, Loss] => [`${name} with rows skipped`, loss]),
  ...named("normalizedSoftmax arcFace cosFace proxyNCA proxyAnchor", (loss) => (x) => {
    return loss(x, labels, { weights: weights() });
  }),
  ...named("softTriple subCenterArcFace", (loss) => (x) => loss(x, labels, { weights: centers() })),
  ...named("uniformity koLeo sigReg", (loss) => (x) => loss(x)),
  ["clipLoss", (x, y) => contrastive.clipLoss(x, y, 10)],
  ["sigLipLoss", (x, y) => contrastive.sigLipLoss(x, y, 10, -10)],
  ["mmcr", (x, y) => contrastive.mmcr(tf.stack([x, y], 1))],
  ["swav", (x, y) => contrastive.swav([x, y])],
  ["dino", (x, y) => contrastive.dino({ student: [x, y], teacher: [x, y] })],
  ["leJEPA", (x, y) => contrastive.leJEPA({ global: tf.stack([x, y]), local: tf.stack([x]) })],
  ["dcr", (x, y) => contrastive.dcr({ anchor: x, positives: [y], negatives: tf.stack([y, x], 1) })],
  [
    "tripletMargin",
    (x, y) => contrastive.tripletMargin({ anchor: x, positive: y, negative: tf.neg(x) as tf.Tensor2D }),
  ],
  ["infoNCE with a queue", (x, y) => contrastive.infoNCE(x, y, { negatives: weights() })],
  ["infoNCE in blocks", (x, y) => contrastive.infoNCE(x, y, { blockSize: 2 })],
  ["perAnchor", (x) => contrastive.contrastiveLoss(x, labels, { reduction: contrastive.perAnchor() })],
];

beforeAll(async () => {
  const require = createRequire(import.meta.url);
  setWasmPaths(`${join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "dist")}/`);
  expect(await tf.setBackend("wasm")).toBe(true);
});

it("sums segments where the backend has no kernel for it", async () => {
  for (const backend of ["cpu", "wasm"]) {
    await tf.setBackend(backend);
    tf.tidy(() => {
      const ids = tf.tensor1d([0, 2, 0], "int32");
      const sum = (x: tf.Tensor) => segmentSum(x, ids, 4);
      expectClose(sum(tf.tensor1d([1, 2, 3])), [4, 0, 2, 0], {});
      const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
      const dy = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);
      expectClose(tf.grad(sum)(x, dy), [1, 2, 5, 6, 1, 2], {});
      expect(segmentSum(tf.zeros([3, 0]), ids, 4).shape).toEqual([4, 0]);
      expectClose(segmentSum(tf.zeros([0, 1]), tf.tensor1d([], "int32"), 2), [0, 0], {});
    });
  }
});

it("sums segments on tfjs's cpu backend without its kernel, which multiplies all numbers by 0 for each segment", async () => {
  await tf.setBackend("cpu");
  tf.tidy(() => {
    const ids = tf.tensor1d([0, 1, 0], "int32");
    expect(Array.from(segmentSum(tf.tensor1d([1, Number.POSITIVE_INFINITY, 2]), ids, 3).dataSync())).toEqual([
      3,
      Number.POSITIVE_INFINITY,
      0,
    ]);
    const equal = segmentSum(tf.fill([1e6], 0.1), tf.zeros([1e6], "int32"), 1);
    expectClose(equal, [1e6 * Math.fround(0.1)], { relative: 1e-7 });
    // The second derivative of sum(segment^2) is 2 within a segment, and 0 elsewhere.
    const square = (x: tf.Tensor) => tf.sum(tf.square(segmentSum(x, ids, 2)));
    const slope = (x: tf.Tensor) => tf.sum(tf.mul(tf.grad(square)(x), [1, 0, 0]));
    expectClose(tf.grad(slope)(tf.tensor1d([1, 2, 3])), [2, 0, 2], {});
  });
});

it("differentiates the pairs of 256 rows: 65,536 segments of as many numbers", async () => {
  await tf.setBackend("cpu");
  tf.tidy(() => {
    const x = tf.tensor2d(normalArray(5, 256 * 8), [256, 8]);
    const many = Array.from({ length: 256 }, (_, i) => i >> 1);
    for (const name of ["contrastiveLoss", "margin"]) {
      const gradient = tf
        .grad((rows) => library[name](rows, many))(x)
        .dataSync();
      expect(gradient.every(Number.isFinite)).toBe(true);
      expect(gradient.some((value) => value !== 0)).toBe(true);
    }
  });
});

// tfjs's WebAssembly backend has the fewest kernels.
it.each(losses)(
  "%s has tfjs's cpu backend's value and gradients on its WebAssembly backend",
  async (_, loss) => {
    const on = async (backend: string) => {
      await tf.setBackend(backend);
      return tf.tidy(() => {
        const inputs = [rows(1), rows(2)];
        // tfjs refuses inputs that the loss does not depend on.
        const { value, grads } = tf.valueAndGrads((x, y) => {
          const total = tf.sum(loss(x as tf.Tensor2D, y as tf.Tensor2D));
          return tf.add(total, tf.mul(tf.sum(tf.add(x, y)), 0)) as tf.Scalar;
        })(inputs);
        return [value, ...grads].map((x) => Float32Array.from(x.dataSync()));
      });
    };
    const [cpu, wasm] = [await on("cpu"), await on("wasm")];
    for (const [i, values] of wasm.entries()) expectClose(values, cpu[i], { relative: 1e-5, absolute: 1e-5 });
  },
);
