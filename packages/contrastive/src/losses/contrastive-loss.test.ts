import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { lpDistance } from "../distances/lp-distance.js";
import { averageNonZero } from "../reducers/average-non-zero.js";
import { classWeighted } from "../reducers/class-weighted.js";
import { perAnchor } from "../reducers/per-anchor.js";
import { threshold } from "../reducers/threshold.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { contrastiveLoss } from "./contrastive-loss.js";

describe("contrastiveLoss equals its peer", () => {
  it("contrastiveLoss", () => expectGolden("contrastiveLoss", (x) => contrastiveLoss(x, golden.labels)));
  it("contrastiveLoss margins", () =>
    expectGolden("contrastiveLoss margins", (x) =>
      contrastiveLoss(x, golden.labels, { posMargin: 0.3, negMargin: 1.2 }),
    ));
  it("contrastiveLoss averageNonZero", () =>
    expectGolden("contrastiveLoss averageNonZero", (x) =>
      contrastiveLoss(x, golden.labels, { negMargin: 1.2, reduction: averageNonZero }),
    ));
  it("contrastiveLoss perAnchor", () =>
    expectGolden("contrastiveLoss perAnchor", (x) =>
      contrastiveLoss(x, golden.labels, { reduction: perAnchor() }),
    ));
  it("contrastiveLoss classWeighted", () =>
    expectGolden("contrastiveLoss classWeighted", (x) =>
      contrastiveLoss(x, golden.labels, { reduction: classWeighted([1, 2, 0.5]) }),
    ));
  it("contrastiveLoss threshold", () =>
    expectGolden("contrastiveLoss threshold", (x) =>
      contrastiveLoss(x, golden.labels, { negMargin: 1.5, reduction: threshold({ low: 0.1, high: 1.2 }) }),
    ));
  it("contrastiveLoss L1", () =>
    expectGolden("contrastiveLoss L1", (x) =>
      contrastiveLoss(x, golden.labels, { distance: lpDistance({ p: 1, normalize: false }), negMargin: 6 }),
    ));
  it("contrastiveLoss L3", () =>
    expectGolden("contrastiveLoss L3", (x) =>
      contrastiveLoss(x, golden.labels, { distance: lpDistance({ p: 3, normalize: false }), negMargin: 4 }),
    ));
  it("contrastiveLoss reference", () =>
    expectGolden("contrastiveLoss reference", (x, reference) =>
      contrastiveLoss(x, golden.labels, {
        reference: { embeddings: reference, labels: golden.referenceLabels },
      }),
    ));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => contrastiveLoss(x, labels), {
    inputs,
    labels: [0, 1, 0, 1, 0, 1, 1],
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => contrastiveLoss(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never)).toThrow(
      'contrastiveLoss: unknown option "temperatures"',
    );
  });
});
