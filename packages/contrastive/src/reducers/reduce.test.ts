import "@tensorflow/tfjs-backend-cpu";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { averageNonZero } from "./average-non-zero.js";
import { classWeighted } from "./class-weighted.js";
import { perAnchor } from "./per-anchor.js";
import { reduce } from "./reduce.js";
import { threshold } from "./threshold.js";

const losses = () => tf.tensor1d([1, 0, 3, 0.5]);
const context = { anchor: Int32Array.of(0, 0, 1, 3), count: 4, labels: [0, 1, 1, 2] };

it("takes names and functions", () => {
  tf.tidy(() => {
    const x = losses();
    expectClose(reduce(x, "mean"), [1.125], { relative: 1e-6 });
    expectClose(reduce(x, "sum"), [4.5], { relative: 1e-6 });
    expectClose(reduce(x, "none"), [1, 0, 3, 0.5], {});
    expectClose(reduce(x, averageNonZero), [1.5], { relative: 1e-6 });
    expectClose(reduce(x, threshold({ low: 0.4, high: 2 })), [0.75], { relative: 1e-6 });
    // Means 0.5, 3, 0 (no loss) and 0.5.
    expectClose(reduce(x, perAnchor(), context), [1], { relative: 1e-6 });
    expectClose(reduce(x, perAnchor("none"), context), [0.5, 3, 0, 0.5], { relative: 1e-6 });
    expectClose(reduce(x, classWeighted([2, 1, 4]), context), [(2 * 1 + 0 + 3 + 4 * 0.5) / 4], {
      relative: 1e-6,
    });
    expectClose(
      reduce(x, (y) => tf.max(y)),
      [3],
      {},
    );
  });
});

it("perAnchor takes memory for the losses alone, and its gradient is the share of each", async () => {
  // A membership matrix of k losses and n anchors would take 67 MB.
  const [n, k] = [256, 256 * 255];
  const anchor = Int32Array.from({ length: k }, (_, i) => Math.floor(i / 255));
  const x = tf.ones([k]) as tf.Tensor1D;
  const { peakBytes } = await tf.profile(() => reduce(x, perAnchor(), { anchor, count: n }));
  expect(peakBytes - x.size * 4).toBeLessThan(4e6);
  tf.tidy(() => {
    const few = { anchor: Int32Array.of(0, 0, 2), count: 3 };
    const gradient = tf.grad((y) => reduce(y as tf.Tensor1D, perAnchor("sum"), few));
    expectClose(gradient(tf.tensor1d([1, 2, 3])), [0.5, 0.5, 1], {});
    expectClose(reduce(tf.tensor1d([]), perAnchor(), { anchor: new Int32Array(0), count: 2 }), [0], {});
  });
  x.dispose();
});

it("gives 0, with a gradient of 0, where no loss remains", () => {
  tf.tidy(() => {
    const x = tf.zeros([3]);
    expectClose(reduce(x as tf.Tensor1D, averageNonZero), [0], {});
    expectClose(tf.grad((y) => reduce(y as tf.Tensor1D, averageNonZero))(x), [0, 0, 0], {});
    expectClose(reduce(tf.tensor1d([]), "mean"), [0], {});
  });
});

it("names reducers that are called too often or too seldom", () => {
  tf.tidy(() => {
    expect(() => (averageNonZero as unknown as () => tf.Tensor)()).toThrow(
      "a reducer takes losses [k], got undefined; averageNonZero is one, and is passed without a call",
    );
    expect(() => reduce(losses(), (() => perAnchor()) as never)).toThrow(
      "reduction must return a tensor, got a function; perAnchor() and its like make a reducer",
    );
    expect(() => reduce(losses(), (() => 3) as never)).toThrow("reduction must return a tensor, got 3");
    expect(() => reduce(losses(), classWeighted as never)).toThrow("classWeighted: weights must be a list");
    expect(() => classWeighted({ 0: 2 } as never)).toThrow(
      "classWeighted: weights must be a list of a number for each class, got a Object",
    );
  });
});

it("names a reduction that it does not know, and labels that have no weight", () => {
  tf.tidy(() => {
    expect(() => reduce(losses(), "average" as never)).toThrow(
      'reduction must be "mean", "sum", "none" or a function, got "average"',
    );
    expect(() => reduce(losses(), classWeighted([1, 2]), context)).toThrow(
      "classWeighted: label of row 3 must be",
    );
    expect(() => reduce(losses(), classWeighted([1]), { ...context, labels: undefined })).toThrow(
      "has no labels",
    );
    expect(() => threshold({})).toThrow("expected low, high or both");
    expect(() => classWeighted([1, -1])).toThrow(
      "classWeighted: weights[1] must be a finite number, at least 0, got -1",
    );
  });
});
