import { initialize } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { type Aggregator, aggregateGradients, combineGradients } from "./aggregator.js";
import { cagrad } from "./cagrad.js";
import { conFIG } from "./con-fig.js";
import { dualProj } from "./dual-proj.js";
import { ExcessMTL } from "./excess-mtl.js";
import { fairGrad } from "./fair-grad.js";
import { imtlG } from "./imtl-g.js";
import { mgda } from "./mgda.js";
import { nashMTL } from "./nash-mtl.js";
import { pcgrad } from "./pcgrad.js";
import { trimmedMean } from "./trimmed-mean.js";
import { upgrad } from "./upgrad.js";

beforeAll(() => initialize({ device: "cpu" }));

/** Aggregators whose direction conflicts with no gradient, by their papers. */
const nonConflicting: Record<string, () => Aggregator> = {
  upgrad,
  dualProj,
  "cagrad, c = 1": () => cagrad({ c: 1 }),
  "cagrad, c = 2": () => cagrad({ c: 2 }),
  mgda,
  nashMTL,
  fairGrad,
  "fairGrad 2": () => fairGrad({ alpha: 2 }),
  conFIG,
  imtlG,
};

async function directionOf(aggregator: Aggregator, rows: number[][]) {
  const gradients = rows.map((row) => [tf.tensor1d(row)]);
  const result = await aggregateGradients(aggregator, gradients);
  const direction = Array.from(result.gradients[0].dataSync());
  tf.dispose([gradients, result.gradients]);
  return direction;
}

const cosine = (a: number[], b: number[]) => {
  const length = Math.hypot(...a) * Math.hypot(...b);
  return length > 0 ? a.reduce((sum, x, i) => sum + x * b[i], 0) / length : 0;
};

describe("gradients 43 orders of magnitude apart", () => {
  const [long, short] = [
    [1e20, 0],
    [-3e-23, 4e-23],
  ];

  it.each(Object.entries(nonConflicting))("%s serves both", async (_, make) => {
    await expectNoLeaks(async () => {
      const direction = await directionOf(make(), [long, short]);
      expect(direction.every(Number.isFinite)).toBe(true);
      expect(Math.hypot(...direction)).toBeGreaterThan(0);
      for (const row of [long, short]) expect(cosine(direction, row)).toBeGreaterThan(-1e-6);
    });
  });

  it("have the combinations that geometry gives", async () => {
    // The long one without its component along (-3, 4), 16/25 and 12/25 of it; the short one without that along the long one is (0, 4e-23).
    const apart = [6.4e19, 4.8e19];
    expectClose(await directionOf(pcgrad(), [long, short]), apart, { relative: 1e-5 });
    expectClose(
      await directionOf(upgrad(), [long, short]),
      apart.map((x) => x / 2),
      { relative: 1e-5 },
    );
    // The shortest point between them is where their line is nearest to 0: the short one without its component along the long one.
    expectClose(await directionOf(mgda(), [long, short]), [0, 4e-23], { relative: 1e-5, absolute: 1e-29 });
  });

  it("are weighed by numbers beyond float32, and not by NaN", () => {
    tf.tidy(() => {
      expectClose(combineGradients([[tf.tensor1d([1e-30, -2e-30])]], [1e45])[0], [1e15, -2e15], {
        relative: 1e-6,
      });
      expectClose(combineGradients([[tf.tensor1d([1e30])]], [-1e-50])[0], [-1e-20], { relative: 1e-6 });
    });
    const of = (shapes: number[][], weights: number[]) => () =>
      tf.tidy(() =>
        combineGradients(
          shapes.map((shape) => [tf.zeros(shape)]),
          weights,
        ),
      );
    expect(of([[2], [2]], [1, Number.NaN])).toThrow(
      "combineGradients: weights[1] must be a finite number, got NaN",
    );
    expect(of([[2], [1]], [1, 1])).toThrow(
      "tensor 0 must have one shape for all losses, got [2] and, of loss 1, [1]",
    );
    expect(() => tf.tidy(() => trimmedMean({ trim: 0 }).combine([[tf.zeros([2])], [tf.zeros([3])]]))).toThrow(
      "trimmedMean: tensor 0 must have one shape for all losses, got [2] and, of loss 1, [3]",
    );
  });
});

describe("gradients that cancel", () => {
  const cases: Record<string, number[][]> = {
    opposite: [
      [1, 2, 3],
      [-1, -2, -3],
    ],
    "opposite to two": [
      [1, 2, 3],
      [2, 4, 6],
      [-1e-5, -2e-5, -3e-5],
    ],
    "a triangle": [
      [1, 0],
      [0, 1],
      [-1, -1],
    ],
  };
  // ConFIG's least squares are defined where no cosines are equal, and may conflict there, as TorchJD's do. MGDA's
  // weights have a sum of 1, so the rest of its zero is rounding.
  const { conFIG: _, mgda: __, ...others } = nonConflicting;
  it.each(Object.entries(others))("%s gives no direction that is rounding", async (_, make) => {
    for (const [name, rows] of Object.entries(cases)) {
      const direction = await directionOf(make(), rows);
      for (const row of rows) expect(cosine(direction, row), name).toBeGreaterThan(-1e-4);
    }
  });
});

it("ExcessMTL takes gradients whose squares overflow", async () => {
  const gradients = [[tf.tensor1d([3e25, -4e25])], [tf.tensor1d([1, 2])]];
  const excess = new ExcessMTL();
  // The first risk of each is the sum of |g|: the softmax of 7e25 and 3 is [1, 0]. The excess is then 1 / sqrt(2) of both.
  for (let step = 0; step < 2; step++) {
    const { gradients: combined, weights } = await excess.combine(gradients);
    expectClose(weights, [1, 0], {});
    expectClose(combined[0], [3e25, -4e25], { relative: 1e-6 });
    tf.dispose(combined);
  }
  excess.dispose();
  tf.dispose(gradients);
});
