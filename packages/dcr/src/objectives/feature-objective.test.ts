import { supCon } from "@dcr-js/contrastive";
import { initialize } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { conObjective } from "./con.js";
import { featureObjective } from "./feature-objective.js";
import { jointObjective } from "./naive.js";
import type { Objective, ObjectiveTerm } from "./objective.js";
import { recObjective } from "./rec.js";
import { sumObjective } from "./sum-objective.js";

beforeAll(() => initialize({ device: "cpu" }));

const [n, d] = [3, 4];

function run(objective: Objective, processes = 1): ObjectiveTerm[] {
  const features = tf.tensor2d(normalArray(1, n * d), [n, d]);
  const augmented = tf.tensor2d(normalArray(2, n * d), [n, d]);
  const terms = tf.tidy(
    () => objective.terms({ features, augmented, processes, apart: false }) as never,
  ) as ObjectiveTerm[];
  tf.dispose([features, augmented]);
  return terms;
}

const disposeTerms = (terms: ObjectiveTerm[]) => tf.dispose(terms as unknown as tf.TensorContainer);

describe("featureObjective", () => {
  it("has the gradients of its loss, and this process's share of them", async () => {
    const loss = (z: tf.Tensor, a: tf.Tensor) => tf.mean(tf.square(tf.sub(z, tf.mul(a, 2))));
    const mine = featureObjective("mine", loss);
    expect([mine.name, mine.usesAugmented, mine.usesPredictions]).toEqual(["mine", true, false]);
    await expectNoLeaks(() => {
      const [whole, half] = [run(mine), run(mine, 2)];
      const [z, a] = [normalArray(1, n * d), normalArray(2, n * d)];
      const value = z.reduce((sum, x, i) => sum + (x - 2 * a[i]) ** 2 / (n * d), 0);
      expectClose(whole[0].value, [value], { relative: 1e-5 });
      expectCloseNorm(
        whole[0].features!,
        z.map((x, i) => (2 * (x - 2 * a[i])) / (n * d)),
        { relative: 1e-5 },
      );
      expectCloseNorm(
        whole[0].augmented!,
        z.map((x, i) => (-4 * (x - 2 * a[i])) / (n * d)),
        { relative: 1e-5 },
      );
      expectClose(half[0].value, [value / 2], { relative: 1e-5 });
      expectCloseNorm(
        half[0].features!,
        z.map((x, i) => (x - 2 * a[i]) / (n * d)),
        { relative: 1e-5 },
      );
      disposeTerms([...whole, ...half]);
    });
  });

  it("has a gradient of zero where the loss does not look", async () => {
    await expectNoLeaks(() => {
      const [term] = run(featureObjective("images", (z) => tf.sum(z)));
      expect([...term.augmented!.dataSync()]).toEqual(new Array(n * d).fill(0));
      disposeTerms([term]);
      const [alone] = run(featureObjective("alone", (z) => tf.sum(z), { usesAugmented: false }));
      expect(alone.augmented).toBeUndefined();
      disposeTerms([alone]);
    });
  });

  it("refuses a loss that is not a scalar, and unknown options", () => {
    const wrong = featureObjective("wrong", (z) => z);
    expect(() => run(wrong)).toThrow("objective wrong: the loss must be a scalar tensor, got shape [3,4]");
    expect(() => featureObjective("x", (z) => tf.sum(z), { views: true } as never)).toThrow(
      'featureObjective: unknown option "views"',
    );
  });
});

describe("conObjective", () => {
  it("is SupCon with each image's view as its positive, at a temperature of 0.1 by default", async () => {
    await expectNoLeaks(() => {
      for (const temperature of [undefined, 0.1, 0.7]) {
        const [term] = run(conObjective({ temperature }));
        const all = tf.tensor2d([...normalArray(1, n * d), ...normalArray(2, n * d)], [2 * n, d]);
        const expected = supCon(all, [0, 1, 2, 0, 1, 2], { temperature: temperature ?? 0.1 });
        expectClose(term.value, expected, { relative: 1e-6 });
        disposeTerms([term]);
        tf.dispose([all, expected]);
      }
    });
    expect(() => conObjective({ temperature: -1 })).toThrow(
      "conObjective: temperature must be a finite number, greater than 0, got -1",
    );
  });
});

describe("sumObjective", () => {
  it("weighs its members, and needs what they need", async () => {
    const a = featureObjective("a", (z) => tf.sum(z), { usesAugmented: false });
    const sum = sumObjective("a+con", [
      { objective: a, weight: 3 },
      { objective: conObjective(), weight: 0.5 },
    ]);
    expect([sum.name, sum.usesAugmented, sum.usesPredictions]).toEqual(["a+con", true, false]);
    await expectNoLeaks(() => {
      const terms = run(sum);
      expect(terms.map(({ name, weight }) => [name, weight])).toEqual([
        ["a", 3],
        ["con", 0.5],
      ]);
      disposeTerms(terms);
    });
    const inner = sumObjective("sum of sums", [{ objective: sum, weight: 2 }]);
    const terms = run(inner);
    expect(terms.map(({ weight }) => weight)).toEqual([6, 1]);
    disposeTerms(terms);
    expect(sumObjective("b", [{ objective: recObjective(), weight: 1 }])).toMatchObject({
      usesAugmented: false,
      usesPredictions: true,
    });
  });

  it("refuses no members and weights that are not numbers", () => {
    expect(() => sumObjective("none", [])).toThrow(
      "sumObjective: none needs one objective or more, got none",
    );
    expect(() => sumObjective("x", [{ objective: recObjective(), weight: Number.NaN }])).toThrow(
      "sumObjective: weight of rec must be a finite number, got NaN",
    );
    expect(() => jointObjective({ lambdaCon: -1 })).toThrow(
      "jointObjective: lambdaCon must be a finite number",
    );
    expect(() => jointObjective({ lambda: 1 } as never)).toThrow('jointObjective: unknown option "lambda"');
  });
});
