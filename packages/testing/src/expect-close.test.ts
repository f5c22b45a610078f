import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectClose } from "./expect-close.js";
import { expectNoLeaks } from "./expect-no-leaks.js";
import { numericalGradient } from "./numerical-gradient.js";

describe("expectClose", () => {
  it("accepts what is within tolerance", () => {
    expectClose([1, 2], [1.0001, 2], { relative: 2e-4 });
    expectClose([Number.NaN, Number.POSITIVE_INFINITY], [Number.NaN, Number.POSITIVE_INFINITY]);
  });

  it("tells NaN, infinities and finite numbers apart", () => {
    const infinity = Number.POSITIVE_INFINITY;
    for (const [a, b] of [
      [Number.NaN, infinity],
      [Number.NaN, 0],
      [infinity, -infinity],
      [infinity, 1],
    ]) {
      expect(() => expectClose([a], [b], { absolute: 10, relative: 10 })).toThrow(/differ/);
    }
  });

  it("refuses other shapes and names the worst index", () => {
    const [a, b] = [
      tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      tf.tensor2d([
        [1, 2],
        [3.5, 6],
      ]),
    ];
    expect(() => expectClose(a, b, { absolute: 0.1 })).toThrow(
      /2 of 4 .* worst at \[1, 1\]: expected 6, got 4/,
    );
    const flat = tf.tensor1d([1, 2, 3, 4]);
    expect(() => expectClose(flat, a)).toThrow(/shape \[2,2\], got \[4\]/);
    tf.dispose([a, b, flat]);
  });
});

describe("expectNoLeaks", () => {
  it("throws when a tensor stays", async () => {
    let kept: tf.Tensor | undefined;
    await expect(
      expectNoLeaks(() => {
        kept = tf.scalar(1);
      }),
    ).rejects.toThrow(/1 tensors more/);
    kept?.dispose();
    await expectNoLeaks(() => tf.scalar(1).dispose());
  });
});

describe("numericalGradient", () => {
  it("finds the slope of a polynomial", () => {
    expectClose(
      numericalGradient(([x, y]) => x * x * y, Float64Array.of(2, 3)),
      [12, 4],
      { relative: 1e-8 },
    );
  });
});
