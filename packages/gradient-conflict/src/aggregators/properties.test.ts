import { initialize } from "@dcr-js/tensor";
import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { readAggregatorTable } from "../../test/aggregator-table.js";
import type { StepAggregator } from "../step/backward.js";
import { alignedMTL } from "./aligned-mtl.js";
import { cagrad } from "./cagrad.js";
import { conFIG } from "./con-fig.js";
import { dualProj } from "./dual-proj.js";
import { dwa } from "./dwa.js";
import { ExcessMTL } from "./excess-mtl.js";
import { fairGrad } from "./fair-grad.js";
import { famo } from "./famo.js";
import { gradDrop } from "./grad-drop.js";
import { gradNorm } from "./grad-norm.js";
import { gradVac } from "./grad-vac.js";
import { imtlG } from "./imtl-g.js";
import { imtlL } from "./imtl-l.js";
import { krum } from "./krum.js";
import { mgda } from "./mgda.js";
import { nashMTL } from "./nash-mtl.js";
import { pcgrad } from "./pcgrad.js";
import { randomWeighting } from "./random-weighting.js";
import { sdmGrad } from "./sdm-grad.js";
import { stch } from "./stch.js";
import { trimmedMean } from "./trimmed-mean.js";
import { uncertaintyWeighting } from "./uncertainty-weighting.js";
import { upgrad } from "./upgrad.js";
import { weightedSum } from "./weighted-sum.js";

beforeAll(() => initialize({ device: "cpu" }));

/** The aggregators of the README's table, by the names in it. */
const aggregators: Record<string, () => StepAggregator> = {
  weightedSum: () => weightedSum(),
  randomWeighting: () => randomWeighting({ seed: 1 }),
  uncertaintyWeighting: () => uncertaintyWeighting(),
  dwa: () => dwa(),
  gradNorm: () => gradNorm(),
  imtlL: () => imtlL(),
  famo: () => famo(),
  stch: () => stch(),
  pcgrad: () => pcgrad(),
  gradVac: () => gradVac(),
  "cagrad, c = 0.5": () => cagrad(),
  "cagrad, c = 1": () => cagrad({ c: 1 }),
  mgda: () => mgda(),
  imtlG: () => imtlG(),
  nashMTL: () => nashMTL(),
  upgrad: () => upgrad(),
  dualProj: () => dualProj(),
  alignedMTL: () => alignedMTL(),
  conFIG: () => conFIG(),
  fairGrad: () => fairGrad(),
  sdmGrad: () => sdmGrad(),
  krum: () => krum(),
  gradDrop: () => gradDrop(),
  trimmedMean: () => trimmedMean(),
  ExcessMTL: () => new ExcessMTL(),
};

type Matrix = number[][];
const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const norm = (a: number[]) => Math.sqrt(dot(a, a));
const scale = (j: Matrix, c: number[]) => j.map((row, i) => row.map((x) => x * c[i]));

/** Normal numbers from one stream for each seed. */
function normals(seed: number): (count: number) => number[] {
  const all = Array.from(normalArray(seed, 4096));
  return (count) => all.splice(0, count);
}

/** Orthonormal vectors beside those given, by Gram and Schmidt. */
function orthonormal(
  draw: (count: number) => number[],
  given: Matrix,
  count: number,
  length: number,
): Matrix {
  const basis = [...given];
  while (basis.length < given.length + count) {
    let v = draw(length);
    for (let twice = 0; twice < 2; twice++) {
      for (const b of basis) {
        const along = dot(v, b);
        v = v.map((x, i) => x - along * b[i]);
      }
    }
    basis.push(v.map((x) => x / norm(v)));
  }
  return basis.slice(given.length);
}

/** `U S V'` with these columns of `U`, positive singular values and random `V`. */
function matrixOf(draw: (count: number) => number[], columns: Matrix, n: number): Matrix {
  const rank = columns.length;
  const values = draw(rank).map(Math.abs);
  const v = orthonormal(draw, [], rank, n);
  return columns[0].map((_, i) =>
    v[0].map((_, d) => columns.reduce((sum, u, r) => sum + u[i] * values[r] * v[r][d], 0)),
  );
}

const unit = (v: number[]) => v.map((x) => x / norm(v));

/** TorchJD's samplers: normal matrices of a rank, strongly stationary ones (a positive combination is zero), and ones that are not even weakly so. */
const samplers = {
  normal: (seed: number, [m, n, rank]: number[]) => {
    const draw = normals(seed);
    return matrixOf(draw, orthonormal(draw, [], rank, m), n);
  },
  strong: (seed: number, [m, n, rank]: number[]) => {
    const draw = normals(seed);
    const positive = unit(draw(m).map(Math.abs));
    return matrixOf(draw, orthonormal(draw, [positive], rank, m), n);
  },
  nonWeak: (seed: number, [m, n, rank]: number[]) => {
    const draw = normals(seed);
    const positive = unit(draw(m).map(Math.abs));
    return matrixOf(draw, [positive, ...orthonormal(draw, [positive], rank - 1, m)], n);
  },
};

const opposite = [
  [1, -2, 0.5],
  [-2, 4, -1],
  [0.3, -0.6, 0.15],
];
const samples: Record<string, Matrix> = {
  "normal 3 x 5": samplers.normal(1, [3, 5, 3]),
  "normal 4 x 3, rank 1": samplers.normal(2, [4, 3, 1]),
  "normal 4 x 3, rank 2": samplers.normal(3, [4, 3, 2]),
  "normal 9 x 11, rank 5": samplers.normal(4, [9, 11, 5]),
  "normal 9 x 11": samplers.normal(5, [9, 11, 9]),
  "strongly stationary": samplers.strong(6, [6, 10, 5]),
  "strongly stationary, rank 2": samplers.strong(7, [6, 10, 2]),
  "not stationary": samplers.nonWeak(8, [6, 10, 6]),
  "not stationary, rank 3": samplers.nonWeak(9, [6, 10, 3]),
  orthonormal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  opposite,
  zero: [
    [0, 0],
    [0, 0],
    [0, 0],
  ],
  "one zero": [...samplers.normal(10, [3, 5, 3]), [0, 0, 0, 0, 0]],
  "lengths from 1e-2 to 1e2": scale(samplers.normal(11, [5, 7, 5]), [1e-2, 0.1, 1, 10, 1e2]),
};
/** Losses that scale with their gradients. */
const lossesOf = (m: number) => Array.from({ length: m }, (_, i) => 1 + i / 2);

/** The direction of one step, in float64 where weights express it. */
async function direction(
  make: () => StepAggregator,
  j: Matrix,
  losses = lossesOf(j.length),
): Promise<number[]> {
  const aggregator = make();
  if ("weigh" in aggregator) {
    const { weights } = aggregator.weigh(
      j.flatMap((a) => j.map((b) => dot(a, b))),
      { losses },
    );
    return j[0].map((_, d) => j.reduce((sum, row, i) => sum + weights[i] * row[d], 0));
  }
  const gradients = j.map((row) => [tf.tensor1d(row, "float32")]);
  const result = await aggregator.combine(gradients);
  const [combined] = Array.isArray(result) ? result : result.gradients;
  const values = Array.from(combined.dataSync());
  tf.dispose([gradients, combined]);
  if (aggregator instanceof ExcessMTL) aggregator.dispose();
  return values;
}

/** How far a property is from holding on a sample: 0 is exact, and above the tolerance it does not hold. */
type Property = (make: () => StepAggregator, j: Matrix) => Promise<number>;

const properties: Record<string, Property> = {
  /** The cosine with the gradient that is conflicted most; a direction far shorter than the shortest gradient counts as none. */
  "conflicts with none": async (make, j) => {
    const d = await direction(make, j);
    const present = j.filter((row) => norm(row) > 0);
    if (present.length === 0) return norm(d);
    const shortest = Math.min(...present.map(norm));
    return Math.max(0, ...present.map((row) => -dot(row, d) / norm(row))) / (norm(d) + shortest / 10);
  },
  /** How the direction turns when each loss is scaled by a number of its own. */
  "ignores scales": async (make, j) => {
    const c = j.map((_, i) => [0.2, 5, 1, 3][i % 4]);
    const losses = lossesOf(j.length);
    const [a, b] = [
      await direction(make, j, losses),
      await direction(
        make,
        scale(j, c),
        losses.map((loss, i) => loss * c[i]),
      ),
    ];
    if (norm(a) <= 1e-6 * norm(j.flat())) return norm(b) <= 1e-5 * norm(j.flat()) ? 0 : 1;
    return norm(a.map((x, i) => x / norm(a) - b[i] / (norm(b) || 1)));
  },
  permutation: async (make, j) => {
    const losses = lossesOf(j.length);
    const order = j.map((_, i) => (i * 5 + 1) % j.length);
    // Five and the number of losses may share a divisor; then the order is reversed.
    const permuted = new Set(order).size === j.length ? order : j.map((_, i) => j.length - 1 - i);
    const [a, b] = [
      await direction(make, j, losses),
      await direction(
        make,
        permuted.map((i) => j[i]),
        permuted.map((i) => losses[i]),
      ),
    ];
    return norm(a.map((x, i) => x - b[i])) / (norm(j.flat()) || 1);
  },
  /** `A(diag(a + b) J) = A(diag(a) J) + A(diag(b) J)`, as TorchJD's `assert_linear_under_scaling`. */
  linear: async (make, j) => {
    const [a, b] = [j.map((_, i) => 0.2 + (i % 3) / 2), j.map((_, i) => 0.1 + ((i + 1) % 4) / 3)];
    const of = (c: number[]) =>
      direction(
        make,
        scale(j, c),
        lossesOf(j.length).map((loss, i) => loss * c[i]),
      );
    const [x, y, both] = [await of(a), await of(b), await of(a.map((value, i) => value + b[i]))];
    return norm(both.map((value, i) => value - x[i] - y[i])) / (norm(j.flat()) || 1);
  },
};

/** Beyond this a property does not hold. */
const tolerance = 4e-4;

describe("the README's table of aggregators", () => {
  const table = readAggregatorTable();

  it("has each aggregator once", () => {
    expect(Object.keys(table)).toEqual(Object.keys(aggregators));
  });

  describe.each(Object.entries(aggregators))("%s", (name, make) => {
    it.each(Object.entries(properties))("%s", async (property, measure) => {
      const far: Record<string, number> = {};
      for (const [sample, j] of Object.entries(samples)) far[sample] = await measure(make, j);
      const broken = Object.entries(far).filter(([, value]) => !(value <= tolerance));
      expect({ cell: broken.length === 0 ? "yes" : "no", broken }).toEqual({
        cell: table[name][property],
        broken: table[name][property] === "yes" ? [] : broken,
      });
    });

    it("is finite from 1e-10 to 1e10, and scales as its cell says", async () => {
      for (const [sample, j] of Object.entries(samples)) {
        const plain = await direction(make, j);
        for (const c of [1e-10, 1e10]) {
          const all = j.map(() => c);
          const scaled = await direction(make, scale(j, all));
          expect(scaled.every(Number.isFinite), sample).toBe(true);
          const expected = { c: c, "1": 1, other: undefined }[table[name]["c J gives"]];
          if (expected === undefined) continue;
          const away = norm(scaled.map((x, i) => x / expected - plain[i]));
          expect(away, `${sample} times ${c}`).toBeLessThanOrEqual(
            1e-4 * norm(plain) + 1e-5 * norm(j.flat()),
          );
        }
      }
    });

    it("remembers as many numbers, and needs losses, as its cells say", async () => {
      for (const m of [3, 4, 5]) {
        const aggregator = make();
        if (!("weigh" in aggregator)) {
          expect(table[name]["memory"]).toBe(aggregator instanceof ExcessMTL ? "m n" : "");
          expect(table[name]["losses"]).toBe("");
          continue;
        }
        let memory: number[] | undefined;
        const gram = samplers.normal(m, [m, m, m]).flatMap((a, _, j) => j.map((b) => dot(a, b)));
        for (let step = 0; step < 3; step++)
          memory = aggregator.weigh(gram, { step, losses: lossesOf(m), memory }).memory;
        const counts: Record<string, number> = {
          "": 0,
          m: m,
          "2 m": 2 * m,
          "4 m + 1": 4 * m + 1,
          "m^2": m * m,
        };
        expect(memory?.length ?? 0).toBe(counts[table[name]["memory"]]);
        expect(aggregator.needsLosses ? "yes" : "").toBe(table[name]["losses"]);
      }
    });
  });
});
