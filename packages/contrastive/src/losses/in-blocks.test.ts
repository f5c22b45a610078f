import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectCloseNorm, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import {
  batched,
  clipLoss,
  debiased,
  decoupled,
  dotSimilarity,
  hardNegative,
  infoNCE,
  koLeo,
  lpDistance,
  multiPositive,
  ntXent,
  sigLipLoss,
  supCon,
  tripletLoss,
  uniformity,
} from "../index.js";

const n = 7;
const matrix = (seed: number, rows = n) => tf.tensor2d(normalArray(seed, rows * 4), [rows, 4]);
const labels = [0, 1, 0, 1, 2, 2, 0];
const mask = (share: number) =>
  Array.from({ length: n * n }, (_, at) => at % n === Math.floor(at / n) || at % share === 0);
const excluded = Array.from({ length: n * n }, (_, at) => at === 2 || at === 9);
const doubled = Array.from({ length: 4 * n * n }, (_, at) => at === 2 || at === 17);

type Blocks = { blockSize?: number };
type Loss = (
  inputs: { x: tf.Tensor; y: tf.Tensor; scale: tf.Tensor; bias: tf.Tensor },
  blocks: Blocks,
) => tf.Tensor;

const losses: Record<string, Loss> = {
  infoNCE: ({ x, y }, o) => infoNCE(x, y, { temperature: 0.2, ...o }),
  "infoNCE, both ways and without false negatives": ({ x, y }, o) =>
    infoNCE(x, y, { symmetric: true, excluded, reduction: "none", ...o }),
  "infoNCE of dot products": ({ x, y }, o) => infoNCE(x, y, { similarity: dotSimilarity, ...o }),
  ntXent: ({ x, y }, o) => ntXent(x, y, { temperature: 0.2, reduction: "none", ...o }),
  "ntXent without false negatives": ({ x, y }, o) => ntXent(x, y, { excluded: doubled, ...o }),
  clipLoss: ({ x, y, scale }, o) => clipLoss(x, y, scale, { reduction: "none", ...o }),
  "clipLoss of a similarity that is not symmetric": ({ x, y }, o) =>
    clipLoss(x, y, 3, { similarity: (a, b) => dotSimilarity(a, tf.relu(b)), ...o }),
  sigLipLoss: ({ x, y, scale, bias }, o) => sigLipLoss(x, y, scale, bias, { reduction: "none", ...o }),
  "supCon of labels": ({ x }, o) => supCon(x, labels, { reduction: "none", ...o }),
  "supCon in, of a mask": ({ x }, o) => supCon(x, mask(3), { formulation: "in", excluded, ...o }),
  "supCon mil-nce with lonely rows": ({ x }, o) =>
    supCon(x, [0, 1, 2, 0, 0, 1, 3], {
      formulation: "mil-nce",
      withoutPositives: "skip",
      reduction: "none",
      ...o,
    }),
  "multiPositive with weights": ({ x, y }, o) =>
    multiPositive(x, y, { positive: mask(5), weights: [1, 2, 0, 1, 1, 0.5, 3], ...o }),
  decoupled: ({ x, y }, o) => decoupled(x, y, { reduction: "none", ...o }),
  "decoupled with sigma": ({ x, y }, o) => decoupled(x, y, { sigma: 0.5, ...o }),
  debiased: ({ x, y }, o) => debiased(x, y, { reduction: "none", ...o }),
  hardNegative: ({ x, y }, o) => hardNegative(x, y, { beta: 2, ...o }),
  uniformity: ({ x }, o) => uniformity(x, o),
  koLeo: ({ x }, o) => koLeo(x, { reduction: "none", ...o }),
};

/** The sum of the loss's values, each with a weight of its own, and its gradients. */
function valueAndGradients(loss: Loss, blocks: Blocks) {
  const f = (x: tf.Tensor, y: tf.Tensor, scale: tf.Tensor, bias: tf.Tensor) => {
    const values = tf.reshape(loss({ x, y, scale, bias }, blocks), [-1]);
    const weights = tf.linspace(1, 2, values.size);
    // Some losses do not depend on all inputs.
    const none = tf.mul(tf.add(tf.add(tf.sum(x), tf.sum(y)), tf.add(scale, bias)), 0);
    return tf.add(tf.sum(tf.mul(values, weights)), none) as tf.Scalar;
  };
  return tf.valueAndGrads(f)([matrix(1), matrix(2), tf.scalar(5), tf.scalar(-2)]);
}

describe.each(Object.entries(losses))("%s in blocks", (_, loss) => {
  it.each([1, 3, 6, 100])("of %i has the value and the gradients of all rows at once", async (blockSize) => {
    await expectNoLeaks(() =>
      tf.tidy(() => {
        const whole = valueAndGradients(loss, {});
        const parts = valueAndGradients(loss, { blockSize });
        expectClose(parts.value, whole.value, { relative: 1e-6 });
        for (const [i, gradient] of parts.grads.entries()) {
          expectCloseNorm(gradient.dataSync(), whole.grads[i].dataSync(), { relative: 2e-6, absolute: 1e-7 });
        }
      }),
    );
  });

  it("refuses a size that is no integer above 0", () => {
    tf.tidy(() => {
      expect(() => valueAndGradients(loss, { blockSize: 0 })).toThrow(
        /: blockSize must be an integer, at least 1, got 0/,
      );
      expect(() => valueAndGradients(loss, { blockSize: 1.5 })).toThrow(/: blockSize must be an integer/);
    });
  });
});

it("a similarity's variables have their gradients in blocks too", async () => {
  const metric = tf.variable(matrix(3, 4));
  const x = matrix(1);
  const y = matrix(2);
  const gradient = (blocks: Blocks) => {
    const similarity = (a: tf.Tensor2D, b: tf.Tensor2D) =>
      tf.matMul<tf.Tensor2D>(tf.matMul(a, metric), b, false, true);
    const { value, grads } = tf.variableGrads(() => infoNCE(x, y, { similarity, ...blocks }), [metric]);
    value.dispose();
    return grads[metric.name];
  };
  await expectNoLeaks(() =>
    tf.tidy(() => {
      expectCloseNorm(gradient({ blockSize: 2 }).dataSync(), gradient({}).dataSync(), { relative: 2e-6 });
    }),
  );
  tf.dispose([metric, x, y]);
});

it("batched distances have the gradients of the whole, and hold the differences of few rows in the backward pass", () => {
  tf.tidy(() => {
    const [x, y] = [matrix(1, 40), matrix(2, 40)];
    // The largest tensor that is made, in elements.
    const largest = (distance: ReturnType<typeof lpDistance>) => {
      let most = 0;
      const { makeTensorFromTensorInfo } = tf.engine();
      tf.engine().makeTensorFromTensorInfo = function (...given) {
        most = Math.max(most, tf.util.sizeFromShape(given[0].shape));
        return makeTensorFromTensorInfo.apply(this, given);
      };
      try {
        const grads = tf.grads((a, b) => tf.sum(distance(a as tf.Tensor2D, b as tf.Tensor2D)))([x, y]);
        return { most, grads };
      } finally {
        tf.engine().makeTensorFromTensorInfo = makeTensorFromTensorInfo;
      }
    };
    const whole = largest(lpDistance({ p: 1 }));
    const parts = largest(batched(lpDistance({ p: 1 }), { rows: 2 }));
    expect(whole.most).toBe(40 * 40 * 4);
    expect(parts.most).toBe(40 * 40);
    for (const [i, gradient] of parts.grads.entries()) {
      expectCloseNorm(gradient.dataSync(), whole.grads[i].dataSync(), { relative: 2e-6 });
    }
  });
});

it("memory does not grow with the number of blocks", () => {
  tf.tidy(() => {
    const [rows, dim] = [64, 256];
    const x = tf.tensor2d(normalArray(1, rows * dim), [rows, dim]);
    let most = 0;
    const before = tf.memory().numBytes;
    const { makeTensorFromTensorInfo } = tf.engine();
    tf.engine().makeTensorFromTensorInfo = function (...given) {
      most = Math.max(most, tf.memory().numBytes - before);
      return makeTensorFromTensorInfo.apply(this, given);
    };
    try {
      tf.grads((a, b) => infoNCE(a, b, { blockSize: 1 }))([x, x]);
    } finally {
      tf.engine().makeTensorFromTensorInfo = makeTensorFromTensorInfo;
    }
    // A gradient of all candidates from each of 64 blocks would be 64 times as large as the candidates.
    expect(most).toBeLessThan(20 * 4 * rows * dim);
  });
});

it("a loss of distances has the second derivative of the whole", () => {
  tf.tidy(() => {
    const x = matrix(1);
    const second = (distance: ReturnType<typeof lpDistance>) => {
      const first = tf.grad((rows) => tripletLoss(rows, labels, { distance, margin: 2 }));
      return tf.grad((rows) => tf.sum(tf.square(first(rows))))(x);
    };
    const distance = lpDistance({ power: 2, normalize: false });
    expectCloseNorm(second(batched(distance, { rows: 2 })).dataSync(), second(distance).dataSync(), {
      relative: 2e-6,
    });
  });
});

it("keeps the digits of small losses in blocks", () => {
  tf.tidy(() => {
    // Cosines 1 and 0.98: at a temperature of 1e-3 the loss is log(1 + e^-20), far below float32's rounding of 1.
    const rows = tf.tensor2d([1, 0, 0.98, Math.sqrt(1 - 0.98 ** 2)], [2, 2]);
    expectClose(infoNCE(rows, rows, { temperature: 1e-3, blockSize: 1 }), [Math.log1p(Math.exp(-20))], {
      relative: 3e-4,
    });
  });
});
