import { readFileSync } from "node:fs";
import { expectClose, recordParity, relativeError } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import type { Aggregator } from "./aggregator.js";
import { dwa, famo, gradNorm, imtlL, stch, uncertaintyWeighting } from "./loss-weighting.js";
import { randomWeighting } from "./random-weighting.js";

const gram = [4, 0, 0, 1];

/** Runs an aggregator over steps with its memory through JSON, as a resumed run does. */
function run(aggregator: Aggregator, losses: number[][]): number[][] {
  let memory: number[] | undefined;
  return losses.map((values, step) => {
    const result = aggregator.weigh(gram, { step, losses: values, memory });
    memory = result.memory && JSON.parse(JSON.stringify(result.memory));
    return Array.from(result.weights);
  });
}

describe("TorchJD's scalarizers", () => {
  const golden = JSON.parse(
    readFileSync(new URL("../../fixtures/loss-weighting.json", import.meta.url), "utf8"),
  ) as Record<"losses" | "dwa" | "famo" | "imtlL" | "stch" | "uncertaintyWeighting", number[][]> &
    Record<"preference" | "ideal", number[]>;
  const { preference, ideal } = golden;
  const all = {
    dwa: dwa({ temperature: 1.5 }),
    famo: famo({ learningRate: 0.05, weightDecay: 1e-3 }),
    imtlL: imtlL({ learningRate: 0.05 }),
    stch: stch({ mu: 0.3, preference, ideal }),
    uncertaintyWeighting: uncertaintyWeighting({ learningRate: 0.05 }),
  };

  it.each(Object.keys(all) as (keyof typeof all)[])("%s weighs alike over five steps", (name) => {
    const three = [4, 0, 0, 0, 1, 0, 0, 0, 1];
    let memory: number[] | undefined;
    for (const [step, losses] of golden.losses.entries()) {
      const result = all[name].weigh(three, { step, losses, memory });
      memory = result.memory && JSON.parse(JSON.stringify(result.memory));
      expectClose(result.weights, golden[name][step], { relative: 1e-7 });
      recordParity({ name, peer: "TorchJD", value: relativeError(result.weights, golden[name][step]) });
    }
  });
});

it("uncertaintyWeighting starts at LibMTL's weights and descends its own objective", () => {
  const [first, second] = run(uncertaintyWeighting({ learningRate: 0.1 }), [
    [2, 0.5],
    [2, 0.5],
  ]);
  const start = 1 / (2 * Math.exp(-0.5));
  expectClose(first, [start, start], { relative: 1e-12 });
  const next = [2, 0.5].map((loss) => -0.5 - 0.1 * (0.5 - loss * start));
  expectClose(
    second,
    next.map((s) => 1 / (2 * Math.exp(s))),
    { relative: 1e-12 },
  );
});

it("imtlL brings all weighted losses to 1", () => {
  const weights = run(imtlL({ learningRate: 0.2 }), new Array(200).fill([4, 0.25])).at(-1)!;
  expectClose(weights, [0.25, 4], { relative: 1e-3 });
});

it("dwa weighs by the ratio of the last two losses", () => {
  const weights = run(dwa(), [
    [1, 1],
    [0.5, 1],
    [9, 9],
    [9, 9],
  ]);
  expect(weights.slice(0, 2)).toEqual([
    [1, 1],
    [1, 1],
  ]);
  const shares = [Math.exp(0.5 / 2), Math.exp(1 / 2)];
  expectClose(
    weights[2],
    shares.map((x) => (2 * x) / (shares[0] + shares[1])),
    { relative: 1e-12 },
  );
  const later = [Math.exp(18 / 2), Math.exp(9 / 2)];
  expectClose(
    weights[3],
    later.map((x) => (2 * x) / (later[0] + later[1])),
    { relative: 1e-12 },
  );
});

it("gradNorm lowers the weight of the longer gradient and keeps the sum", () => {
  const weights = run(gradNorm({ learningRate: 0.1 }), [
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
  expect(weights[0]).toEqual([1, 1]);
  // |g| is 2 and 1, their mean 1.5: the first falls by 0.1 * 2, the second rises by 0.1 * 1.
  expectClose(
    weights[1],
    [0.8, 1.1].map((x) => (x * 2) / 1.9),
    { relative: 1e-12 },
  );
  for (const row of weights) expectClose([row[0] + row[1]], [2], { relative: 1e-12 });
});

it("stch is the gradient of its smooth maximum", () => {
  const smooth = (losses: number[]) =>
    0.3 * Math.log(losses.reduce((sum, l) => sum + Math.exp((0.5 * l) / 0.3), 0));
  const losses = [1, 0.4];
  const { weights } = stch({ mu: 0.3 }).weigh(gram, { losses });
  for (const i of [0, 1]) {
    const up = losses.map((l, k) => (k === i ? l + 1e-5 : l));
    const down = losses.map((l, k) => (k === i ? l - 1e-5 : l));
    expectClose([weights[i]], [(smooth(up) - smooth(down)) / 2e-5], { relative: 1e-6 });
  }
  const shifted = stch({ mu: 0.3, ideal: [0.6, 0], preference: [0.5, 0.5] }).weigh(gram, { losses });
  expectClose(shifted.weights, [0.25, 0.25], { relative: 1e-12 });
});

it("famo begins with weights 1 / L and then favours the loss that falls slower", () => {
  const weights = run(famo(), [
    [1, 4],
    [0.5, 4],
    [0.25, 4],
  ]);
  expectClose(weights[0], [0.8, 0.2], { relative: 1e-6 });
  const second = [2 / 2.25, 0.25 / 2.25];
  expect(weights[1][1]).toBeGreaterThan(second[1]);
});

it("randomWeighting draws weights that sum to 1, by seed and step", () => {
  const weigh = (seed: number, step: number) =>
    Array.from(randomWeighting({ seed }).weigh(gram, { step }).weights);
  const all = Array.from({ length: 500 }, (_, step) => weigh(3, step));
  for (const [a, b] of all) expectClose([a + b], [1], { relative: 1e-12 });
  expect(weigh(3, 9)).toEqual(all[9]);
  expect(weigh(4, 9)).not.toEqual(all[9]);
  const mean = all.reduce((sum, [a]) => sum + a, 0) / all.length;
  // The standard deviation of the softmax of two normals is 0.21; three of the mean's are 0.03.
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
});

describe("what they refuse", () => {
  const all = { uncertaintyWeighting, imtlL, dwa, gradNorm, stch, famo };
  it.each(Object.entries(all))(
    "%s: missing or broken losses, unknown options, and another's memory",
    (name, make) => {
      const aggregator = make();
      expect(aggregator.needsLosses).toBe(true);
      expect(() => aggregator.weigh(gram)).toThrow(
        `${name}: context.losses must hold the values of 2 losses, got nothing`,
      );
      expect(() => aggregator.weigh(gram, { losses: [1, Number.NaN], names: ["a", "b"] })).toThrow(
        `${name}: loss "b" must be a finite number, got NaN`,
      );
      expect(() => make({ rate: 1 } as never)).toThrow(`${name}: unknown option "rate"`);
      if (name === "stch") return;
      expect(() => aggregator.weigh(gram, { losses: [1, 1], memory: [1, 2, 3] })).toThrow(
        /memory must have \d entries, got 3; is it another aggregator's\?/,
      );
    },
  );
});
