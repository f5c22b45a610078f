import { initialize } from "@dcr-js/tensor";
import { checkGradients, expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { reconstructionLoss } from "./reconstruction-loss.js";

beforeAll(() => initialize({ device: "cpu" }));

describe("reconstructionLoss", () => {
  it("is the mean squared error of each sample, with its gradient", async () => {
    const before = tf.memory().numTensors;
    const [x, y] = [normalArray(1, 12), normalArray(2, 12)];
    const [prediction, target] = [tf.tensor(x, [3, 2, 2, 1]), tf.tensor(y, [3, 2, 2, 1])];
    const naive = [0, 1, 2].map((i) =>
      [0, 1, 2, 3].reduce((s, d) => s + (x[i * 4 + d] - y[i * 4 + d]) ** 2 / 4, 0),
    );
    const each = reconstructionLoss(prediction, target, { reduction: "none" });
    const mean = reconstructionLoss(prediction, target);
    expectClose(each, naive, { relative: 1e-6 });
    expectClose(mean, [(naive[0] + naive[1] + naive[2]) / 3], { relative: 1e-6 });
    await checkGradients((a, b) => reconstructionLoss(a, b), [prediction, target], { relative: 1e-3 });
    tf.dispose([prediction, target, each, mean]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("refuses unknown options and reductions", () => {
    const x = tf.ones([2, 3]);
    expect(() => reconstructionLoss(x, x, { reductoin: "sum" } as never)).toThrow(
      'reconstructionLoss: unknown option "reductoin"; expected some of reduction',
    );
    expect(() => reconstructionLoss(x, x, { reduction: "most" as never })).toThrow("reduction");
    x.dispose();
  });

  it("never broadcasts", () => {
    expect(() => tf.tidy(() => reconstructionLoss(tf.ones([2, 3]), tf.ones([1, 3])))).toThrow(
      /one shape \[N, \.\.\.\], got \[2,3\] and \[1,3\]/,
    );
  });
});
