import "@tensorflow/tfjs-backend-cpu";
import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import "../shared/register-gradients.js";
import type { Labels } from "../check-embeddings.js";
import { pairsFromLabels } from "../pairs/pairs.js";
import type { WithoutPositives } from "../pairs/without-positives.js";
import { angular } from "./angular.js";
import { circle } from "./circle.js";
import { contrastiveLoss } from "./contrastive-loss.js";
import { fastAP } from "./fast-ap.js";
import { generalizedLiftedStructure } from "./generalized-lifted-structure.js";
import { liftedStructure } from "./lifted-structure.js";
import { margin } from "./margin.js";
import { multiSimilarity } from "./multi-similarity.js";
import { nPairs } from "./n-pairs.js";
import { nca } from "./nca.js";
import { ntXentFromLabels } from "./nt-xent-from-labels.js";
import { rankedList } from "./ranked-list.js";
import { snrContrastive } from "./snr-contrastive.js";
import { supCon } from "./sup-con.js";
import { tripletLoss } from "./triplet-loss.js";
import { tupletMargin } from "./tuplet-margin.js";

type Options = { withoutPositives?: WithoutPositives; reduction?: "none" };
type Loss = (x: tf.Tensor, labels: Labels, options?: Options) => tf.Tensor;

/** Losses with a value for each anchor. */
const ofAnchors: Record<string, Loss> = {
  circle,
  fastAP,
  generalizedLiftedStructure,
  multiSimilarity,
  nca,
  rankedList,
  supCon,
};
/** Losses with a value for each pair or triplet. */
const ofTuples: Record<string, Loss> = {
  angular,
  liftedStructure,
  margin,
  nPairs,
  ntXentFromLabels,
  tripletLoss,
  tupletMargin,
};
/** Losses with a value for each positive and each negative pair. */
const ofPairs: Record<string, Loss> = { contrastiveLoss, snrContrastive };

const x = () => tf.tensor2d(normalArray(1, 20), [5, 4]);
/** Row 4 has no positive. */
const labels = [0, 1, 0, 1, 2];
const values = (loss: Loss, withoutPositives: WithoutPositives) =>
  Array.from(tf.tidy(() => loss(x(), labels, { withoutPositives, reduction: "none" })).dataSync());

describe.each(Object.entries({ ...ofAnchors, ...ofTuples, ...ofPairs }))("%s", (name, loss) => {
  it("refuses a row without a positive by default, as all losses do, and unknown rules", () => {
    tf.tidy(() => {
      const message = `${name}: anchor 4 has no positive; withoutPositives "skip" or "zero" takes such anchors`;
      expect(() => loss(x(), labels)).toThrow(message);
      expect(() => loss(x(), labels, { withoutPositives: "error" })).toThrow(message);
      expect(() => loss(x(), [0, 1, 2, 3, 4])).toThrow(`${name}: anchor 0 has no positive`);
      expect(() => loss(x(), labels, { withoutPositives: "ignore" as never })).toThrow(
        `${name}: withoutPositives must be one of error, skip, zero, got "ignore"`,
      );
    });
  });
});

describe.each(Object.entries({ ...ofAnchors, ...ofTuples }))("%s", (name, loss) => {
  it("leaves such a row out, or gives it a loss of 0", () => {
    const skipped = values(loss, "skip");
    expect(skipped).toHaveLength(
      name === "nPairs" ? 2 : name in ofAnchors || (name !== "tripletLoss" && name !== "margin") ? 4 : 12,
    );
    expect(values(loss, "zero")).toEqual([...skipped, 0]);
    tf.tidy(() => {
      // Its embedding still counts as a negative of the others.
      const mean = (rule: WithoutPositives) => loss(x(), labels, { withoutPositives: rule }).dataSync()[0];
      const total = skipped.reduce((sum, value) => sum + value, 0);
      expectClose([mean("skip")], [total / skipped.length], { relative: 1e-6, absolute: 1e-7 });
      expectClose([mean("zero")], [total / (skipped.length + 1)], { relative: 1e-6, absolute: 1e-7 });
      const alone = loss(tf.slice(x(), 0, 4), labels.slice(0, 4), { reduction: "none" });
      if (name !== "nPairs") expect(Array.from(alone.dataSync())).not.toEqual(skipped);
    });
  });
});

describe.each(Object.entries(ofPairs))("%s", (_, loss) => {
  it("leaves such a row's pairs out, counts a 0 among the positive ones, and takes given pairs as they are", () => {
    // Four positive pairs; each of four rows has three negatives, and row 4 has four.
    const skipped = values(loss, "skip");
    expect(skipped).toHaveLength(4 + 12);
    expect(values(loss, "zero")).toEqual([...skipped.slice(0, 4), 0, ...skipped.slice(4)]);
    tf.tidy(() => {
      const options = { pairs: pairsFromLabels(labels), reduction: "none" };
      const all = Array.from(loss(x(), labels, options as never).dataSync());
      expect(all.slice(0, 16)).toEqual(skipped);
      expect(all).toHaveLength(20);
    });
  });
});

const none = () => ({ anchor: new Int32Array(0), other: new Int32Array(0) });
const zeroOf = (loss: (rows: tf.Tensor) => tf.Tensor) =>
  tf.tidy(() => {
    const { value, grad } = tf.valueAndGrad((rows) => tf.sum(loss(rows)))(x());
    expectClose(value, [0], {});
    expectClose(grad, new Float32Array(20), {});
  });

describe.each(
  Object.entries({ ...ofAnchors, ...ofTuples, ...ofPairs }).filter(([name]) => name !== "nPairs"),
)("%s of a batch in which no row has a positive", (_, loss) => {
  it("is 0 with a gradient of 0, where such rows are left out or count as 0", () => {
    zeroOf((rows) => loss(rows, [0, 1, 2, 3, 4], { withoutPositives: "skip" }));
    zeroOf((rows) => loss(rows, [0, 1, 2, 3, 4], { withoutPositives: "zero" }));
  });
});

describe.each(
  Object.entries({
    angular,
    circle,
    contrastiveLoss,
    generalizedLiftedStructure,
    liftedStructure,
    margin,
    multiSimilarity,
    ntXentFromLabels,
    snrContrastive,
    tripletLoss,
    tupletMargin,
  }),
)("%s of no pairs, as a miner may find", (_, loss) => {
  it("is 0 with a gradient of 0", () => {
    zeroOf((rows) => loss(rows, labels, { pairs: { positive: none(), negative: none() } }));
    const triplets = { anchor: new Int32Array(0), positive: new Int32Array(0), negative: new Int32Array(0) };
    zeroOf((rows) => loss(rows, labels, { triplets }));
  });

  it("has a finite gradient where a miner finds positive pairs alone, or negative ones", () => {
    const { positive, negative } = pairsFromLabels(labels);
    for (const pairs of [
      { positive, negative: none() },
      { positive: none(), negative },
    ]) {
      tf.tidy(() => {
        const { value, grad } = tf.valueAndGrad((rows) => loss(rows, labels, { pairs }) as tf.Scalar)(x());
        expect([...value.dataSync(), ...grad.dataSync()].every(Number.isFinite)).toBe(true);
      });
    }
  });
});

it("an anchor's positives are those of the reference, where there is one", () => {
  tf.tidy(() => {
    const reference = { embeddings: tf.ones([2, 4]), labels: [0, 1] };
    expect(() => tripletLoss(x(), labels, { reference })).toThrow("anchor 4 has no positive");
    expect(tripletLoss(x(), [0, 1, 0, 1, 1], { reference, reduction: "none" }).shape).toEqual([5]);
  });
});

describe.each(
  Object.entries({ angular, circle, fastAP, margin, ntXentFromLabels, tripletLoss, tupletMargin }),
)("%s", (name, loss) => {
  it("refuses a batch without negatives, whose loss is constant", () => {
    tf.tidy(() => {
      expect(() => loss(x(), [3, 3, 3, 3, 3])).toThrow(
        `${name}: no anchor has a negative, which makes the loss constant`,
      );
    });
  });
});
