import { singleProcess } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import type { TermGradients } from "./batch-gradients.js";
import { addTerms, reduceTerms } from "./step-terms.js";

const term = (change: Partial<TermGradients> = {}): TermGradients => ({
  name: "a",
  weight: 2,
  value: 3,
  values: { a: 3 },
  metrics: { spread: 0.5 },
  gradients: [tf.tensor1d([1, 2])],
  ...change,
});

it("adds values, metrics and gradients of a step's batches", async () => {
  await expectNoLeaks(() => {
    const sums = new Map<string, TermGradients>();
    for (let batch = 0; batch < 3; batch++) addTerms(sums, [term()]);
    const [sum] = sums.values();
    expect(sum).toMatchObject({ weight: 2, value: 9, values: { a: 9 }, metrics: { spread: 1.5 } });
    expectClose(sum.gradients[0], [3, 6]);
    tf.dispose(sum.gradients);
  });
});

it("refuses terms that are not those of the first batch, and frees their gradients", async () => {
  const all = "must be the same in all batches of a step, got";
  await expectNoLeaks(() => {
    const sums = new Map<string, TermGradients>();
    addTerms(sums, [term()]);
    for (const [terms, message] of [
      [() => [term({ weight: 0 })], `the weight of a ${all} 2 and 0`],
      [() => [term({ values: { b: 1 } })], `the losses in a ${all} a and b`],
      [() => [term({ metrics: {} })], `the metrics of a ${all} spread and none`],
      [() => [term(), term({ name: "b" })], `the losses ${all} a and a,b`],
      [() => [term({ name: "b" })], `the losses ${all} a and b`],
    ] as [() => TermGradients[], string][]) {
      expect(() => addTerms(sums, terms())).toThrow(message);
    }
    expect([...sums.values()]).toMatchObject([{ value: 3, values: { a: 3 } }]);
    tf.dispose(Array.from(sums.values(), ({ gradients }) => gradients));
  });
});

it("averages a step's figures, and names a loss or a metric that is not finite", async () => {
  await expectNoLeaks(async () => {
    const whole = [term({ value: 6, values: { a: 6 }, metrics: { spread: 1 } })];
    expect(await reduceTerms(singleProcess, whole, 2)).toEqual({
      loss: 6,
      losses: { a: 3 },
      metrics: { spread: 0.5 },
      terms: [6],
    });
    tf.dispose(whole.map(({ gradients }) => gradients));
    for (const [change, message] of [
      [{ values: { a: Number.NaN } }, "loss a is NaN"],
      [{ value: Number.POSITIVE_INFINITY }, "the loss is Infinity"],
      [{ metrics: { spread: Number.NaN } }, "metric spread is NaN"],
      [{ metrics: { spread: Number.NEGATIVE_INFINITY } }, "metric spread is -Infinity"],
    ] as const) {
      const terms = [term(change)];
      await expect(reduceTerms(singleProcess, terms, 1)).rejects.toThrow(message);
      tf.dispose(terms.map(({ gradients }) => gradients));
    }
  });
});
