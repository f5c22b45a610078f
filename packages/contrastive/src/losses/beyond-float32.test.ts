import "@tensorflow/tfjs-backend-cpu";
import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import "../shared/register-gradients.js";
import { dotSimilarity } from "../distances/dot-similarity.js";
import { lpDistance } from "../distances/lp-distance.js";
import { largestFloat } from "../shared/check-float.js";
import { circle } from "./circle.js";
import { clipLoss } from "./clip.js";
import { dino } from "./dino.js";
import { generalizedLiftedStructure } from "./generalized-lifted-structure.js";
import { infoNCE } from "./info-nce.js";
import { liftedStructure } from "./lifted-structure.js";
import { multiSimilarity } from "./multi-similarity.js";
import { nPairs } from "./n-pairs.js";
import { ntXent } from "./nt-xent.js";
import { ntXentFromLabels } from "./nt-xent-from-labels.js";
import { proxyNCA } from "./proxy-nca.js";
import { sigLipLoss } from "./siglip.js";
import { supCon } from "./sup-con.js";
import { swav } from "./swav.js";
import { tripletLoss } from "./triplet-loss.js";
import { tripletMargin } from "./triplet-margin.js";
import { vicReg } from "./vic-reg.js";

const labels = [0, 1, 0, 1, 2, 2];
const squared = lpDistance({ power: 2, normalize: false });
const dot = { similarity: dotSimilarity };

/** Losses of rows that are not normalised, whose products and squares are beyond float32 at a length of 1e20. */
const losses: Record<string, (x: tf.Tensor2D, y: tf.Tensor2D) => tf.Tensor> = {
  "clipLoss of dot products": (x, y) => clipLoss(x, y, 14, dot),
  "infoNCE of dot products": (x, y) => infoNCE(x, y, dot),
  "infoNCE of dot products with negatives": (x, y) => infoNCE(x, y, { ...dot, negatives: y }),
  "ntXent of dot products": (x, y) => ntXent(x, y, dot),
  "ntXentFromLabels of dot products": (x) => ntXentFromLabels(x, labels, dot),
  "supCon of dot products": (x) => supCon(x, labels, dot),
  "supCon of dot products, in": (x) => supCon(x, labels, { ...dot, formulation: "in" }),
  "multiSimilarity of dot products": (x) => multiSimilarity(x, labels, dot),
  "circle of dot products": (x) => circle(x, labels, dot),
  "sigLipLoss of dot products": (x, y) => sigLipLoss(x, y, 10, -10, dot),
  "liftedStructure of distances": (x) =>
    liftedStructure(x, labels, { distance: lpDistance({ normalize: false }) }),
  "liftedStructure of squared distances": (x) => liftedStructure(x, labels, { distance: squared }),
  dino: (x, y) => dino({ student: [x, y], teacher: [y, x] }),
  swav: (x, y) => swav([x, y]),
  "swav with a queue": (x, y) => swav([x, y], { queue: [y, x], temperature: 0.01 }),
  nPairs: (x) => nPairs(x, labels),
  "tripletLoss of squared distances": (x) => tripletLoss(x, labels, { distance: squared }),
  "proxyNCA of squared distances": (x, y) =>
    proxyNCA(x, labels, { weights: tf.slice(y, 0, 3), distance: squared }),
  "tripletMargin of squared distances": (x, y) =>
    tripletMargin({ anchor: x, positive: y, negative: tf.reverse(y, 0) }, { distance: "squaredEuclidean" }),
  "tripletMargin of squared distances, swapped": (x, y) =>
    tripletMargin(
      { anchor: x, positive: y, negative: tf.reverse(y, 0) },
      { distance: "squaredEuclidean", swap: true },
    ),
};

describe.each(Object.entries(losses))("%s", (_, loss) => {
  it.each([1e20, 2e37])("is a number with a finite gradient at rows of length %d", (size) => {
    tf.tidy(() => {
      const [x, y] = [1, 2].map((seed) =>
        tf.mul(tf.tensor2d(normalArray(seed, 24), [6, 4]), size),
      ) as tf.Tensor2D[];
      const { value, grads } = tf.valueAndGrads((a, b) =>
        tf.add(tf.mean(loss(a as tf.Tensor2D, b as tf.Tensor2D)), tf.mul(tf.sum(tf.mul(b, 0)), 0)),
      )([x, y]);
      // A sum of several of the largest numbers is infinite.
      expect(value.dataSync()[0]).toBeGreaterThanOrEqual(0);
      for (const gradient of grads) expect(gradient.dataSync().every(Number.isFinite)).toBe(true);
    });
  });
});

it("tripletMargin takes the sign of a difference of squares that are beyond float32", () => {
  tf.tidy(() => {
    const anchor = tf.tensor2d([[1e20, 0]]);
    const near = tf.tensor2d([[0, 0]]);
    const far = tf.tensor2d([[3e20, 0]]);
    const loss = (positive: tf.Tensor, negative: tf.Tensor) =>
      tripletMargin({ anchor, positive, negative }, { distance: "squaredEuclidean" });
    // 1e40 - 4e40 and 4e40 - 1e40.
    expectClose(loss(near, far), [0], {});
    expectClose(loss(far, near), [largestFloat], {});
    // The gradient at the anchor is 2 (negative - positive).
    const gradient = tf.grad((x) =>
      tripletMargin({ anchor: x, positive: far, negative: near }, { distance: "squaredEuclidean" }),
    )(anchor);
    expectClose(gradient, [-6e20, 0], { relative: 1e-6 });
  });
});

it("nPairs tells a pair from the others where products are beyond float32", () => {
  tf.tidy(() => {
    const rows = tf.mul(tf.tensor2d([1, 0, 1, 0, 0, 1, 0, 1], [4, 2]), 1e20);
    expectClose(nPairs(rows, [0, 0, 1, 1], { reduction: "none" }), [0, 0], {});
    // The first rows of both labels have their own positive at a right angle, and the other's along themselves.
    const crossed = tf.gather(rows, [0, 2, 2, 0]);
    expectClose(nPairs(crossed, [0, 0, 1, 1], { reduction: "none" }), [largestFloat, largestFloat], {});
  });
});

it("vicReg is infinite, and not NaN, where squares of covariances are beyond float32", () => {
  tf.tidy(() => {
    const [x, y] = [1, 2].map((seed) => tf.mul(tf.tensor2d(normalArray(seed, 24), [6, 4]), 1e20));
    expect(vicReg(x, y).dataSync()[0]).toBe(Number.POSITIVE_INFINITY);
  });
});

it("entries that take no part stay out at distances of 1e37", () => {
  tf.tidy(() => {
    // Row 0 has its positive at 1e37 and its negative at 2e37: exp(1e37 - 0) exp(1 - 2e37) < 1.
    const rows = tf.tensor2d([0, 1e37, -2e37], [3, 1]);
    const options = { distance: lpDistance({ normalize: false }), withoutPositives: "zero" as const };
    expectClose(
      generalizedLiftedStructure(rows, [0, 0, 1], { ...options, reduction: "none" }),
      [0, 0, 0],
      {},
    );
  });
});
