import { checkGradients, expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";
import { l2Normalize } from "../shared/l2-normalize.js";

describe.each(await testBackends())("l2Normalize on $name", ({ start }) => {
  beforeAll(start);

  it.each([1e-37, 1e-23, 1e-20, 1e-7, 1, 1e20, 1e38])(
    "gives unit vectors at length %f, and the gradient",
    async (length) => {
      const x = tf.tensor2d([[0.6 * length, -0.8 * length]]);
      const y = l2Normalize(x);
      expectClose(await y.data(), [0.6, -0.8], { relative: 1e-6 });
      // (dy - y <y, dy>) / length for dy = [length, 0].
      const gradient = tf.grad((z) => l2Normalize(z))(x, tf.tensor2d([[length, 0]]));
      expectClose(await gradient.data(), [1 - 0.36, 0.48], { relative: 2e-6 });
      tf.dispose([x, y, gradient]);
    },
  );

  it("leaves zero vectors zero, with a gradient of zero, beside others", async () => {
    const x = tf.tensor2d([
      [0, 0],
      [3, 4],
    ]);
    await expectNoLeaks(async () => {
      const y = l2Normalize(x);
      const gradient = tf.grad((z) => l2Normalize(z))(x);
      expectClose(await y.data(), [0, 0, 0.6, 0.8], { relative: 1e-6 });
      expectClose(await gradient.data(), [0, 0, (1 - 0.36 - 0.48) / 5, (1 - 0.64 - 0.48) / 5], {
        relative: 1e-5,
        absolute: 1e-7,
      });
      tf.dispose([y, gradient]);
    });
    x.dispose();
  });

  it("takes any axis, keeps NaN, and has right first and second derivatives", async () => {
    const x = tf.tensor2d([
      [1, -2, 0.5],
      [2, 1, -1],
    ]);
    expectClose(
      await l2Normalize(x, 0).data(),
      [1 / 5 ** 0.5, -2 / 5 ** 0.5, 0.5 / 1.25 ** 0.5, 2 / 5 ** 0.5, 1 / 5 ** 0.5, -1 / 1.25 ** 0.5],
      { relative: 1e-6 },
    );
    expect((await l2Normalize(tf.tensor1d([Number.NaN, 1])).data())[0]).toBeNaN();
    await checkGradients((y) => l2Normalize(y), [x]);
    await checkGradients((y) => tf.grad((z) => tf.square(l2Normalize(z, 0)))(y), [x], {
      step: 1 / 64,
      relative: 1e-2,
      absolute: 1e-2,
    });
    expect(() => l2Normalize(x, 2)).toThrow(/axis/);
    x.dispose();
  });
});
