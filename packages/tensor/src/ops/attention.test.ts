import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";
import { scaledDotProductAttention } from "./attention.js";

describe.each(await testBackends())("scaledDotProductAttention on $name", ({ start }) => {
  beforeAll(start);

  const keys = 3;
  const values = () => tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8, 18, 0, 0, 12], [1, keys, 4]);
  /** Queries and keys of ones and a scale: all scores are equal. */
  const equal = (score: number, causal: boolean) => {
    const ones = () => tf.ones([1, keys, 4]) as tf.Tensor3D;
    return (v: tf.Tensor3D) =>
      tf.tidy(() => scaledDotProductAttention(ones(), ones(), v, { heads: 2, causal, scale: score / 2 }));
  };

  it.each([1, 100, 1e4, 1e5, 1e6, 1e7, 1e8, 1e30, -1e8])(
    "of equal scores %s averages the values seen",
    async (score) => {
      for (const causal of [false, true]) {
        await expectNoLeaks(async () => {
          const run = equal(score, causal);
          const seen = (row: number) => (causal ? row + 1 : keys);
          const x = values();
          const y = run(x);
          const v = [
            [1, 2, 3, 4],
            [5, 6, 7, 8],
            [18, 0, 0, 12],
          ]; // prettier-ignore
          const mean = [0, 1, 2].map((row) =>
            [0, 1, 2, 3].map(
              (c) => v.slice(0, seen(row)).reduce((sum, line) => sum + line[c], 0) / seen(row),
            ),
          );
          expectClose(await y.data(), mean.flat(), { relative: 5e-6 });
          const gradient = tf.grad((own) => run(own as tf.Tensor3D))(x);
          // A value gets the shares of the queries that see it.
          const shares = [0, 1, 2].map((key) =>
            [0, 1, 2].reduce((sum, row) => sum + (key < seen(row) ? 1 / seen(row) : 0), 0),
          );
          expectClose(
            await gradient.data(),
            shares.flatMap((share) => [share, share, share, share]),
            { relative: 5e-6 },
          );
          tf.dispose([x, y, gradient]);
        });
      }
    },
  );

  it("gives all to the largest of large scores, and hides what comes later", async () => {
    const big = tf.tensor3d([1e5, 0, 1e5, 0], [1, 2, 2]);
    const v = tf.tensor3d([1, 1, 2, 2], [1, 2, 2]);
    // By hand: the first token sees itself alone, the second two equal scores of 1e10.
    const y = scaledDotProductAttention(big, big, v, { heads: 1, causal: true, scale: 1 });
    expectClose(await y.data(), [1, 1, 1.5, 1.5], { relative: 1e-6 });
    const apart = tf.tensor3d([1e4, 0, 2e4, 0], [1, 2, 2]);
    const largest = scaledDotProductAttention(big, apart, v, { heads: 1, scale: 1 });
    expect(Array.from(await largest.data())).toEqual([2, 2, 2, 2]);
    tf.dispose([big, v, y, apart, largest]);
  });
});
