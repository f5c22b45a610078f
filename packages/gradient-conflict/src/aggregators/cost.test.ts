import { Session } from "node:inspector/promises";
import { initialize } from "@dcr-js/tensor";
import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAggregatorTable } from "../../test/aggregator-table.js";
import type { StepAggregator } from "../step/backward.js";

// V8 counts how often each block runs, from before the code is loaded, so that no block runs optimised and uncounted.
const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
const library = await import("../index.js");

beforeAll(() => initialize({ device: "cpu" }));
afterAll(() => session.disconnect());

/** How often blocks of this package's code run in `f`. */
async function countBlocks(f: () => void): Promise<number> {
  await session.post("Profiler.takePreciseCoverage");
  f();
  const { result } = await session.post("Profiler.takePreciseCoverage");
  const own = result.filter(({ url }) => url.includes("gradient-conflict/src/"));
  const ranges = own.flatMap(({ functions }) => functions.flatMap((each) => each.ranges));
  return ranges.reduce((sum, { count }) => sum + count, 0);
}

/** The elements that kernels of tfjs read and write in `f`. */
async function countElements(f: () => unknown): Promise<number> {
  const { kernels } = await tf.profile(async () => {
    tf.dispose((await f()) as tf.TensorContainer);
    return tf.scalar(0);
  });
  const shapes = kernels.flatMap(({ inputShapes, outputShapes }) => [...inputShapes, ...outputShapes]);
  return shapes.reduce((sum, shape) => sum + tf.util.sizeFromShape(shape ?? []), 0);
}

/** An aggregator by its name in the table, such as `cagrad, c = 1`. */
function make(name: string): StepAggregator {
  const [, exported, c] = /^(\w+)(?:, c = (.*))?$/.exec(name)!;
  if (exported === "ExcessMTL") return new library.ExcessMTL();
  const of = library[exported as "cagrad"];
  return c === undefined ? of() : of({ c: Number(c) });
}

const rows = (m: number, n: number) => {
  const values = normalArray(m, m * n);
  return Array.from({ length: m }, (_, i) => values.subarray(i * n, (i + 1) * n));
};
const gramOf = (m: number) => {
  const all = rows(m, 2 * m);
  return all.flatMap((a) => all.map((b) => a.reduce((sum, x, k) => sum + x * b[k], 0)));
};
const lossesOf = (m: number) => Array.from({ length: m }, (_, i) => 1 + i / 2);
const tensors = (m: number, n: number) => rows(m, n).map((row) => [tf.tensor1d(row)]);
/** How fast a cost grows: the power of a number of which it is the cost at once and at twice that. */
const power = (once: number, twice: number) => Math.log2(twice / once);

/** The growth of costs as the table states them when the number of losses, 12, doubles. */
const stated: Record<string, number> = {
  "m^2": 2,
  "m^2 log m": 2 + power(Math.log(12), Math.log(24)),
  "m^3": 3,
  "m^4": 4,
  "m^5": 5,
};

const table = readAggregatorTable();
const weighing = Object.keys(table).filter((name) => "weigh" in make(name));

describe("the costs in the README's table of aggregators", () => {
  it.each(weighing)("of the weights of %s bounds how often its code runs", async (name) => {
    const aggregator = make(name);
    if (!("weigh" in aggregator)) throw new Error(`${name} has no weights`);
    const counts: number[] = [];
    for (const m of [12, 24]) {
      const [gram, losses] = [gramOf(m), lossesOf(m)];
      counts.push(await countBlocks(() => aggregator.weigh(gram, { losses })));
    }
    expect(counts[0]).toBeGreaterThan(12);
    const measured = power(counts[0], counts[1]);
    const most = stated[table[name]["cost of the weights"]];
    // Eigenvectors take a few sweeps more of a larger matrix. Programs seldom meet their worst case, which the table states.
    expect(measured).toBeLessThan(most + 0.35);
    expect(measured).toBeGreaterThan(most - 1.35);
  });

  it("on the device of inner products grow with m^2 n, of the sum with m n", async () => {
    const grown = async (f: (gradients: tf.Tensor[][]) => unknown) => {
      const cost = async (m: number, n: number) => {
        const gradients = tensors(m, n);
        const count = await countElements(() => f(gradients));
        tf.dispose(gradients);
        return count;
      };
      const once = await cost(8, 4096);
      return [power(once, await cost(16, 4096)), power(once, await cost(8, 8192))];
    };
    const gram = await grown(async (gradients) => void (await library.gramMatrix(gradients)));
    // Beside the products there are the gradients themselves, m n.
    expect(gram[0]).toBeGreaterThan(1.6);
    expect(gram[0]).toBeLessThan(2.05);
    expect(gram[1]).toBeCloseTo(1, 1);
    const weights = (m: number) => Array.from({ length: m }, (_, i) => i + 2);
    const sum = await grown((gradients) => library.combineGradients(gradients, weights(gradients.length)));
    expect(sum[0]).toBeLessThan(1.1);
    expect(sum[1]).toBeCloseTo(1, 1);
    for (const name of Object.keys(table).filter((each) => !weighing.includes(each))) {
      const each = await grown(async (gradients) => {
        const aggregator = make(name);
        if ("weigh" in aggregator) throw new Error(`${name} has weights`);
        const result = await aggregator.combine(gradients);
        if (aggregator instanceof library.ExcessMTL) aggregator.dispose();
        return Array.isArray(result) ? result : result.gradients;
      });
      // A kernel that sorts shows its elements, not its comparisons.
      expect(["m n", "m log m n"], name).toContain(table[name]["on the device"]);
      expect(each[0], name).toBeLessThan(1.2);
      expect(each[1], name).toBeCloseTo(1, 1);
    }
  });

  it.each(weighing)("on the device of %s have inner products where its weights depend on them", (name) => {
    const aggregator = make(name);
    if (!("weigh" in aggregator)) throw new Error(`${name} has no weights`);
    const losses = lossesOf(4);
    // At the second step, since the first of some has weights of 1 each.
    const weigh = (gram: number[]) => {
      const { memory } = aggregator.weigh(gram, { losses });
      return aggregator.weigh(gram, { step: 1, losses: losses.map((loss) => loss / 2), memory }).weights;
    };
    const identity = Array.from({ length: 16 }, (_, at) => Number(at % 5 === 0));
    const depends = String(weigh(gramOf(4))) !== String(weigh(identity));
    expect(table[name]["on the device"]).toBe(depends ? "m^2 n" : "m n");
  });
});
