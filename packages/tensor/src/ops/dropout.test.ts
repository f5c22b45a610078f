import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";
import { Random } from "../random.js";
import { dropout } from "./dropout.js";

/** The mask by its definition, from the stream's words. */
const expected = (random: Random, values: ArrayLike<number>, rate: number) =>
  Array.from(random.words(values.length), (word, i) => (word / 2 ** 32 < rate ? 0 : values[i] / (1 - rate)));

describe.each(await testBackends())("dropout on $name", ({ start }) => {
  beforeAll(start);

  it.each([
    { shape: [1], counter: 0 },
    { shape: [3, 7], counter: 5 },
    { shape: [257, 33], counter: 2 ** 32 - 3 },
    { shape: [2, 3, 64], counter: 2 ** 33 + 1 },
  ])(
    "drops and scales what the stream's words say, $shape from block $counter",
    async ({ shape, counter }) => {
      const x = tf.add(tf.reshape(tf.range(0, tf.util.sizeFromShape(shape)), shape), 1);
      const random = new Random(2 ** 45 + 77);
      random.state = { ...random.state, counter };
      const [same, start] = [new Random(0), random.state];
      same.state = start;
      await expectNoLeaks(async () => {
        const y = dropout(x, { rate: 0.3, random });
        expectClose(await y.data(), expected(same, await x.data(), 0.3), { relative: 1e-6 });
        expect(random.state).toEqual(same.state);
        y.dispose();
      });
      x.dispose();
    },
  );

  it("has the mask as its gradient, and a mean of its input", async () => {
    const n = 40_000;
    const [x, dy] = [tf.ones([n]), tf.range(0, n)];
    const random = new Random(3);
    const { state } = random;
    await expectNoLeaks(async () => {
      const gradient = tf.grad((z) => dropout(z, { rate: 0.1, random }))(x, dy);
      random.state = state;
      const y = dropout(x, { rate: 0.1, random });
      const product = tf.mul(y, dy);
      expectClose(await gradient.data(), await product.data(), { relative: 1e-6 });
      const mean = tf.mean(y);
      // Three standard deviations: 3 * sqrt(0.1 / 0.9 / n).
      expectClose(await mean.data(), [1], { absolute: 0.005 });
      tf.dispose([gradient, y, product, mean]);
    });
    tf.dispose([x, dy]);
  });

  it("keeps everything at rate 0 without a draw, and refuses what is no probability", async () => {
    const x = tf.tensor1d([1, 2]);
    const random = new Random(0);
    const y = dropout(x, { rate: 0, random });
    expectClose(await y.data(), [1, 2], { absolute: 0 });
    expect(random.state.counter).toBe(0);
    expect(() => dropout(x, { rate: 1, random })).toThrow(
      "dropout: rate must be a finite number, at least 0 and less than 1, got 1",
    );
    expect(() => dropout(x, { rate: 0.5, random: 3 as never })).toThrow(
      "dropout: random must be a Random, got 3",
    );
    tf.dispose([x, y]);
  });
});
