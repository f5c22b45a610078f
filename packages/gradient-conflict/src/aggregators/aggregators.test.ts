import { readFileSync } from "node:fs";
import { initialize } from "@dcr-js/tensor";
import {
  expectClose,
  expectCloseNorm,
  expectNoLeaks,
  normalArray,
  recordParity,
  relativeError,
} from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { libMTL } from "../../test/loss-weighting.js";
import { type Aggregator, aggregateGradients, combineGradients } from "./aggregator.js";
import { alignedMTL } from "./aligned-mtl.js";
import { cagrad } from "./cagrad.js";
import { conFIG } from "./con-fig.js";
import { dualProj } from "./dual-proj.js";
import { ExcessMTL } from "./excess-mtl.js";
import { fairGrad } from "./fair-grad.js";
import { gradVac } from "./grad-vac.js";
import { imtlG } from "./imtl-g.js";
import { krum } from "./krum.js";
import { mgda } from "./mgda.js";
import { nashMTL } from "./nash-mtl.js";
import { pcgrad } from "./pcgrad.js";
import { sdmGrad } from "./sdm-grad.js";
import { trimmedMean } from "./trimmed-mean.js";
import { upgrad } from "./upgrad.js";
import { weightedSum } from "./weighted-sum.js";

beforeAll(() => initialize({ device: "cpu" }));

type Jacobian = number[][];
const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const gramOf = (j: Jacobian) => j.flatMap((a) => j.map((b) => dot(a, b)));
const combine = (j: Jacobian, w: ArrayLike<number>) =>
  j[0].map((_, d) => j.reduce((s, row, i) => s + w[i] * row[d], 0));
const direction = (aggregator: Aggregator, j: Jacobian) => combine(j, aggregator.weigh(gramOf(j)).weights);
const norm = (a: number[]) => Math.sqrt(dot(a, a));
const random = (seed: number, m: number, n: number): Jacobian => {
  const values = normalArray(seed, m * n);
  return Array.from({ length: m }, (_, i) => Array.from(values.subarray(i * n, (i + 1) * n)));
};

/** Gradients of many kinds, by what is special about them. */
const samples: Record<string, Jacobian> = {
  one: random(1, 1, 4),
  two: random(2, 2, 4),
  three: random(3, 3, 6),
  six: random(4, 6, 8),
  "more losses than parameters": random(5, 5, 3),
  duplicates: [...random(6, 2, 4), ...random(6, 2, 4)],
  "a zero gradient": [...random(7, 2, 4), [0, 0, 0, 0]],
  "lengths 1e3 apart": random(8, 3, 5).map((row, i) => row.map((x) => x * 10 ** (3 * i - 3))),
  "a shared direction": random(9, 4, 5).map((row) => row.map((x) => x + 3)),
};
const opposite = [random(10, 1, 4)[0], random(10, 1, 4)[0].map((x) => -2 * x)];
const zeros = [
  [0, 0],
  [0, 0],
];

const aggregators: Record<string, () => Aggregator> = {
  weightedSum,
  pcgrad: () => pcgrad({ shuffle: false }),
  mgda,
  imtlG,
  upgrad: () => upgrad({ regularization: 1e-10 }),
  cagrad: () => cagrad({ c: 0.5 }),
  cagrad1: () => cagrad({ c: 1 }),
  gradVac: () => gradVac({ shuffle: false, beta: 0.3 }),
  nashMTL,
  dualProj: () => dualProj({ regularization: 1e-10 }),
  conFIG,
  alignedMTL,
  fairGrad,
};

describe("the reference's weights", () => {
  const golden = JSON.parse(
    readFileSync(new URL("../../fixtures/aggregators.json", import.meta.url), "utf8"),
  ) as Record<string, Record<string, number[]>>;

  it.each(Object.keys(golden))("for gradients that are %s", (name) => {
    const expected = golden[name];
    const weights = (aggregator: Aggregator) => aggregator.weigh(expected["gram"]).weights;
    const record = (key: string, actual: ArrayLike<number>, peer = "TorchJD", wanted = expected[key]) =>
      recordParity({ name: key, peer, value: relativeError(actual, wanted) });
    for (const key of ["pcgrad", "imtlG"]) {
      expectCloseNorm(weights(aggregators[key]()), expected[key], { relative: 1e-9 });
      record(key, weights(aggregators[key]()));
    }
    for (const key of ["upgrad", "dualProj"]) {
      expectCloseNorm(weights(aggregators[key]()), expected[key], { relative: 1e-7 });
      record(key, weights(aggregators[key]()));
    }
    record("conFIG", weights(conFIG()));
    expectCloseNorm(weights(conFIG()), expected["conFIG"], { relative: 1e-9 });
    const preference = Array.from({ length: expected["conFIG"].length }, (_, i) => i + 1);
    const preferred = weights(conFIG({ preference }));
    record("conFIG", preferred, "TorchJD", expected["conFIG preference"]);
    expectCloseNorm(preferred, expected["conFIG preference"], { relative: 1e-9 });
    for (const scaleMode of ["min", "median", "rmse"] as const) {
      expectCloseNorm(weights(alignedMTL({ scaleMode })), expected[`alignedMTL ${scaleMode}`], {
        relative: 1e-9,
      });
      record(
        "alignedMTL",
        weights(alignedMTL({ scaleMode })),
        "TorchJD",
        expected[`alignedMTL ${scaleMode}`],
      );
    }
    for (const alpha of [0.5, 1, 2]) {
      const key = `fairGrad ${alpha.toFixed(1)}`;
      expectCloseNorm(weights(fairGrad({ alpha })), expected[key], { relative: 1e-7 });
      record("fairGrad", weights(fairGrad({ alpha })), "SciPy, solving its equation", expected[key]);
      const theirs = libMTL.fairGrad[name][alpha.toFixed(1)];
      expectCloseNorm(weights(fairGrad({ alpha })), theirs, { relative: 1e-7 });
      record("fairGrad", weights(fairGrad({ alpha })), "LibMTL", theirs);
    }
    if (expected["krum"]) {
      expectClose(weights(krum({ selected: 2 })), expected["krum"], { absolute: 1e-12 });
      record("krum", weights(krum({ selected: 2 })));
    }
    // These are limited by how far the reference's solvers go: Frank-Wolfe and CLARABEL.
    for (const key of ["mgda", "cagrad", "cagrad1"]) {
      expectCloseNorm(weights(aggregators[key]()), expected[key], { relative: 1e-4 });
      record(key.replace("1", ""), weights(aggregators[key]()), "TorchJD", expected[key]);
    }
    expectCloseNorm(weights(nashMTL()), expected["nashMTL"], { relative: 1e-6 });
    record("nashMTL", weights(nashMTL()), "SciPy, solving its equation");
    let memory: number[] | undefined;
    for (const step of [0, 1]) {
      const result = aggregators["gradVac"]().weigh(expected["gram"], { step, memory });
      memory = JSON.parse(JSON.stringify(result.memory));
      expectCloseNorm(result.weights, expected["gradVac"][step] as never, { relative: 1e-6 });
      record("gradVac", result.weights, "TorchJD", expected["gradVac"][step] as never);
    }
    memory = undefined;
    for (const step of [0, 1]) {
      const result = sdmGrad().weigh(expected["gram"], { step, memory });
      memory = JSON.parse(JSON.stringify(result.memory));
      expectCloseNorm(result.weights, expected["sdmGrad"][step] as never, { relative: 1e-6 });
      record("sdmGrad", result.weights, "TorchJD", expected["sdmGrad"][step] as never);
    }
  });

  it.each(Object.keys(golden))("elementwise, for gradients that are %s", async (name) => {
    const expected = golden[name] as unknown as Record<string, number[][]> & { trimmedMean: number[] };
    const gradients = expected["jacobian"].map((row) => [
      tf.tensor1d(row.slice(0, 2)),
      tf.tensor1d(row.slice(2)),
    ]);
    const flat = (tensors: tf.Tensor[]) => tensors.flatMap((x) => Array.from(x.dataSync()));
    await expectNoLeaks(async () => {
      const excess = new ExcessMTL({ warmupSteps: 1 });
      for (const vector of expected["excessMTL"]) {
        const result = await excess.combine(gradients);
        expectCloseNorm(flat(result.gradients), vector, { relative: 1e-4 });
        recordParity({
          name: "ExcessMTL",
          peer: "TorchJD",
          value: relativeError(flat(result.gradients), vector),
        });
        tf.dispose(result.gradients);
      }
      excess.dispose();
      if (expected.trimmedMean) {
        const result = trimmedMean().combine(gradients);
        expectCloseNorm(flat(result), expected.trimmedMean, { relative: 1e-6 });
        const value = relativeError(flat(result), expected.trimmedMean);
        recordParity({ name: "trimmedMean", peer: "TorchJD", value });
        tf.dispose(result);
      }
    });
    tf.dispose(gradients);
  });
});

describe.each(Object.entries(aggregators))("%s", (name, make) => {
  it("keeps its direction, or scales it, when all gradients are scaled", () => {
    for (const j of Object.values(samples)) {
      const plain = direction(make(), j);
      for (const scale of [1e-10, 1e10]) {
        const scaled = direction(
          make(),
          j.map((row) => row.map((x) => x * scale)),
        );
        // The directions of Nash-MTL and FairGrad have a length of their own, about 1.
        const ownLength = ["nashMTL", "fairGrad"].includes(name);
        const expected = ownLength ? plain : plain.map((x) => x * scale);
        const absolute = ownLength ? 1e-7 : norm(j.flat()) * scale * 1e-9;
        expectCloseNorm(scaled, expected, { relative: 1e-5, absolute });
      }
    }
  });

  it("is finite and the same for the same gradients, zero and opposite ones too", () => {
    const aggregator = make();
    for (const j of [...Object.values(samples), opposite, zeros]) {
      const { weights } = aggregator.weigh(gramOf(j));
      expect(weights.length).toBe(j.length);
      expect(weights.every(Number.isFinite)).toBe(true);
      expect(aggregator.weigh(gramOf(j)).weights).toEqual(weights);
    }
  });

  it("refuses a Gram matrix that is not square, not finite or not symmetric", () => {
    const aggregator = make();
    expect(() => aggregator.weigh([1, 2])).toThrow(/gram must have m \* m entries for m losses, got 2/);
    expect(() => aggregator.weigh([])).toThrow(/got 0/);
    expect(() => aggregator.weigh([1, 0, Number.NaN, 1])).toThrow(
      /the gradient of losses 1 and 0 is not finite/,
    );
    const broken = [1, Number.NaN, Number.NaN, Number.NaN];
    expect(() => aggregator.weigh(broken, { names: ["con", "rec"] })).toThrow(
      /the gradient of loss "rec" is not finite \(inner product NaN\)/,
    );
    expect(() => aggregator.weigh([1, 0.5, 0.4, 1])).toThrow(
      "gram must be symmetric, got 0.4 and 0.5 for losses 1 and 0",
    );
    // |a . b| <= |a| |b| (Cauchy and Schwarz).
    expect(() => aggregator.weigh([1, -5, -5, 1])).toThrow(
      "the inner product of losses 1 and 0 must be at most that of their lengths, 1, got -5",
    );
    expect(() => aggregator.weigh([1, 0, 0, -1])).toThrow(
      "the inner product of the gradient of loss 1 with itself must be at least 0, got -1",
    );
    // float32's rounding.
    expect(aggregator.weigh([1, 0.5, 0.50001, 1]).weights).toHaveLength(2);
  });
});

describe("properties", () => {
  it.each(["pcgrad", "gradVac"])(
    "%s conflicts with neither of two gradients, and sums those that agree",
    (name) => {
      for (const seed of [1, 2, 3, 4, 5]) {
        const j = random(seed, 2, 5);
        const result = direction(aggregators[name](), j);
        for (const row of j) expect(dot(row, result)).toBeGreaterThanOrEqual(-1e-9);
        if (dot(j[0], j[1]) >= 0) expectClose(result, combine(j, [1, 1]), { relative: 1e-12 });
        expectCloseNorm(direction(aggregators[name](), [j[1], j[0]]), result, { relative: 1e-9 });
      }
    },
  );

  it("pcgrad projects as its algorithm does on the vectors themselves, in its seeded order", () => {
    const j = random(11, 4, 6).map((row, _, all) =>
      row.map((x, d) => x - 1.3 * all.reduce((s, r) => s + r[d] / 4, 0)),
    );
    const seeded = pcgrad({ seed: 5 });
    const reached = Array.from({ length: 40 }, (_, step) =>
      String(seeded.weigh(gramOf(j), { step }).weights),
    );
    expect(new Set(reached).size).toBeGreaterThan(3);
    expect(String(pcgrad({ seed: 5 }).weigh(gramOf(j), { step: 7 }).weights)).toBe(reached[7]);
    const sum = j[0].map(() => 0);
    for (const [i, row] of j.entries()) {
      let own = row;
      for (const [k, other] of j.entries()) {
        const inner = dot(own, other);
        if (k !== i && inner < 0) own = own.map((x, d) => x - (inner / dot(other, other)) * other[d]);
      }
      for (const d of sum.keys()) sum[d] += own[d];
    }
    expectCloseNorm(direction(pcgrad({ shuffle: false }), j), sum, { relative: 1e-10 });
  });

  it("mgda's combination is the shortest of the simplex", () => {
    for (const j of Object.values(samples)) {
      const m = j.length;
      const { weights } = mgda().weigh(gramOf(j));
      expectClose([weights.reduce((s, w) => s + w, 0)], [1], { relative: 1e-12 });
      expect(Math.min(...weights)).toBeGreaterThanOrEqual(0);
      const best = combine(j, weights);
      // The optimality condition: no gradient has a smaller inner product with the combination than itself.
      for (const row of j)
        expect(dot(row, best)).toBeGreaterThanOrEqual(dot(best, best) - 1e-9 * m * dot(j.flat(), j.flat()));
    }
    expectClose(direction(mgda(), opposite), [0, 0, 0, 0], { absolute: 1e-6 });
  });

  it("imtlG's projections on all gradients' directions are equal", () => {
    for (const j of [samples["two"], samples["three"], samples["six"], samples["lengths 1e3 apart"]]) {
      const { weights } = imtlG().weigh(gramOf(j));
      const result = combine(j, weights);
      const projections = j.map((row) => dot(row, result) / norm(row));
      expectClose(
        projections,
        projections.map(() => projections[0]),
        { relative: 1e-5 },
      );
      expectClose([weights.reduce((s, w) => s + w, 0)], [1], { relative: 1e-9 });
    }
  });

  it("upgrad is the mean where nothing conflicts, follows preferences, and grows linearly with each gradient", () => {
    const agreeing = samples["a shared direction"];
    expectCloseNorm(upgrad().weigh(gramOf(agreeing)).weights, [0.25, 0.25, 0.25, 0.25], { relative: 1e-5 });
    expectClose(upgrad({ preference: [1, 2, 3, 4] }).weigh(gramOf(agreeing)).weights, [1, 2, 3, 4], {
      relative: 1e-5,
    });
    // Linear under scaling: the sum over two sets of scales is the aggregate of the summed scales.
    const exact = aggregators["upgrad"]();
    const scaled = (c: number[]) =>
      direction(
        exact,
        samples["three"].map((row, i) => row.map((x) => x * c[i])),
      );
    const [a, b, both] = [
      [1, 2, 3],
      [4, 1, 0.5],
      [5, 3, 3.5],
    ].map(scaled);
    expectCloseNorm(
      both,
      a.map((x, d) => x + b[d]),
      { relative: 1e-6 },
    );
    expect(() => upgrad({ preference: [1] }).weigh(gramOf(agreeing))).toThrow(
      /preference must have 4 positive entries/,
    );
    expect(() => upgrad({ regularization: 0 })).toThrow(
      /regularization must be a finite number, greater than 0/,
    );
  });

  it("cagrad with c = 0 is the mean, and stays within its ball around it", () => {
    for (const j of Object.values(samples)) {
      const mean = combine(
        j,
        j.map(() => 1 / j.length),
      );
      expectClose(direction(cagrad({ c: 0 }), j), mean, { relative: 1e-12 });
      const away = direction(cagrad({ c: 0.5 }), j).map((x, d) => x - mean[d]);
      expectClose([norm(away)], [0.5 * norm(mean)], { relative: 1e-6 });
    }
    // The worst-served loss is served no worse than by any other direction in the ball.
    const j = samples["three"];
    const mean = combine(j, [1 / 3, 1 / 3, 1 / 3]);
    const worst = (d: number[]) => Math.min(...j.map((row) => dot(row, d)));
    const best = worst(direction(cagrad({ c: 0.5 }), j));
    for (let seed = 0; seed < 200; seed++) {
      const step = random(seed, 1, mean.length)[0];
      const other = mean.map((x, d) => x + (0.5 * norm(mean) * step[d]) / norm(step));
      expect(worst(other)).toBeLessThanOrEqual(best + 1e-9);
    }
    expect(() => cagrad({ c: -1 })).toThrow(/c must be a finite number, at least 0, got -1/);
  });

  it("nashMTL solves its bargaining equation and ignores each loss's scale", () => {
    const free = nashMTL({ maxNorm: 1e6 });
    for (const j of [samples["two"], samples["three"], samples["six"]]) {
      const gram = gramOf(j);
      const { weights } = free.weigh(gram);
      const product = Array.from(
        weights,
        (w, i) => w * j.reduce((s, _, k) => s + gram[i * j.length + k] * weights[k], 0),
      );
      expectClose(
        product,
        product.map(() => 1),
        { relative: 1e-6 },
      );
      expectClose([norm(combine(j, weights))], [Math.sqrt(j.length)], { relative: 1e-6 });
      const scaled = j.map((row, i) => row.map((x) => x * (i + 1) * 3));
      expectCloseNorm(direction(free, scaled), direction(free, j), { relative: 1e-6 });
      expectClose([norm(direction(nashMTL(), j))], [1], { relative: 1e-6 });
    }
  });

  it("gradVac refuses a memory of another number of losses", () => {
    expect(() => gradVac().weigh([1, 0, 0, 1], { memory: [0] })).toThrow(/memory must have 4 entries, got 1/);
    expect(() => gradVac({ beta: 2 })).toThrow(
      /beta must be a finite number, at least 0 and at most 1, got 2/,
    );
  });

  it("weightedSum takes a weight for each loss", () => {
    expect([...weightedSum([2, 0.5]).weigh([1, 0, 0, 1]).weights]).toEqual([2, 0.5]);
    expect(() => weightedSum([1]).weigh([1, 0, 0, 1])).toThrow(
      /expected 2 weights, one for each loss, got 1/,
    );
  });
});

describe("edges", () => {
  it("upgrad conflicts with no gradient however short it is", () => {
    // TorchJD's test_pcgrad: for two gradients UPGrad of the sum is PCGrad, so the mean is half of it.
    for (const s of [0.1, 1e-2, 3e-3, 1e-3, 1e-4, 1e-8]) {
      const j = [
        [1, 0],
        [-0.5 * s, 0.8 * s],
      ];
      const project = (a: number[], b: number[]) => a.map((x, i) => x - (dot(a, b) / dot(b, b)) * b[i]);
      const [first, second] = [project(j[0], j[1]), project(j[1], j[0])];
      const expected = first.map((x, i) => (x + second[i]) / 2);
      const result = direction(upgrad(), j);
      expectCloseNorm(result, expected, { relative: 1e-5 });
      expect(dot(result, j[1]) / norm(result) / norm(j[1])).toBeGreaterThan(-1e-5);
    }
  });

  it("dualProj and upgrad give the exact projections of TorchJD's test_values, which has its regularization in the fourth digit", () => {
    const j = [
      [-4, 1, 1],
      [6, 1, 1],
    ];
    // The mean (1, 1, 1) has -2 with the first, whose square is 18.
    const exact = { regularization: 1e-12 };
    expectClose(direction(dualProj(exact), j), [5 / 9, 10 / 9, 10 / 9], { relative: 1e-9 });
    // The halves of g_1 + (22 / 38) g_2 and g_2 + (22 / 18) g_1.
    const [a, b] = [1 + 22 / 18, 1 + 22 / 38];
    expectClose(direction(upgrad(exact), j), [(6 * b - 4 * a) / 2, (a + b) / 2, (a + b) / 2], {
      relative: 1e-9,
    });
  });

  it("imtlG is not noise for gradients that depend on one another in float32", () => {
    // Three gradients in a plane, whose inner products float32 has rounded: no direction has equal projections on all.
    const j = [
      [1, 0],
      [0, 1],
      [1, 1],
    ];
    const rounded = gramOf(j).map((x, at) => Math.fround(x * (1 + 1e-7 * Math.sin(at * 7))));
    expect([...imtlG().weigh(rounded).weights]).toEqual([0, 0, 0]);
    // Duplicates depend on one another too, and share a direction.
    expectClose(imtlG().weigh([1, 1, 1, 1]).weights, [0.5, 0.5], { relative: 1e-9 });
  });

  it("nashMTL's direction does not change when a loss is scaled by any factor", () => {
    const j = samples["three"];
    const plain = direction(nashMTL(), j);
    for (const factor of [1e-8, 1e-3, 1e3, 1e8]) {
      const scaled = j.map((row, i) => (i === 1 ? row.map((x) => x * factor) : row));
      expectCloseNorm(direction(nashMTL(), scaled), plain, { relative: 1e-6 });
    }
  });

  it("cagrad moves when one gradient is zero", () => {
    const j = [...random(7, 2, 4), [0, 0, 0, 0]];
    expect(norm(direction(cagrad(), j))).toBeGreaterThan(0.1);
  });
});

describe("aggregateGradients", () => {
  it("combines tensors by the weights of their Gram matrix", async () => {
    const j = random(12, 2, 6);
    const gradients = j.map((row) => [tf.tensor2d(row.slice(0, 4), [2, 2]), tf.tensor1d(row.slice(4))]);
    await expectNoLeaks(async () => {
      const result = await aggregateGradients(mgda(), gradients);
      const expected = direction(mgda(), j);
      expectClose(result.gram, gramOf(j), { relative: 1e-5, absolute: 1e-6 });
      expectClose([...result.gradients[0].dataSync(), ...result.gradients[1].dataSync()], expected, {
        absolute: 1e-5,
      });
      expect(result.gradients.map((x) => x.shape)).toEqual([[2, 2], [2]]);
      tf.dispose(result.gradients);
    });
    expect(() => combineGradients(gradients, [1])).toThrow(/a weight for each of 2 losses, got 1/);
    tf.dispose(gradients as tf.TensorContainer);
  });
});
