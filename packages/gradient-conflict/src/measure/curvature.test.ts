import { initialize } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { gradientCurvature } from "./curvature.js";

beforeAll(() => initialize({ device: "cpu" }));

it("is the Rayleigh quotient of the Hessian at the gradient, and leaves the variables as they were", async () => {
  const [v, b] = [tf.variable(tf.tensor1d([1, -2]), true), tf.variable(tf.scalar(3), true)];
  const losses = {
    // Gradient (2, -16, 1) and Hessian diag(2, 8, 0).
    bowl: () => tf.tidy(() => tf.add(tf.sum(tf.mul([1, 4], tf.square(v))), b)) as tf.Scalar,
    // Gradient (0, 0, 27) and Hessian diag(0, 0, 18).
    cube: () => tf.tidy(() => tf.pow(b, 3)) as tf.Scalar,
    flat: () => tf.tidy(() => tf.sum(tf.mul(v, 0))) as tf.Scalar,
    huge: () => tf.tidy(() => tf.mul(tf.square(b), 1e30)) as tf.Scalar,
  };
  await expectNoLeaks(async () => {
    const { bowl, cube, flat, huge } = await gradientCurvature({ losses, variables: { v, b } });
    expectClose([bowl], [(4 * 2 + 256 * 8) / 261], { relative: 1e-3 });
    expectClose([cube], [18], { relative: 1e-3 });
    expect(flat).toBe(0);
    expectClose([huge / 1e30], [2], { relative: 1e-3 });
    const wide = await gradientCurvature({ losses, variables: { v, b }, radius: 0.5 });
    expectClose([wide.bowl, wide.cube], [(4 * 2 + 256 * 8) / 261, 18], { relative: 1e-5 });
  });
  expect([...v.dataSync(), ...b.dataSync()]).toEqual([1, -2, 3]);
  tf.dispose([v, b]);
});

it("puts the variables back when a loss fails there, and names what is wrong", async () => {
  const v = tf.variable(tf.scalar(1), true);
  let calls = 0;
  const fails = () => {
    if (++calls > 1) throw new Error("no more");
    return tf.square(v) as tf.Scalar;
  };
  await expectNoLeaks(async () => {
    await expect(gradientCurvature({ losses: { fails }, variables: { v } })).rejects.toThrow("no more");
    await expect(
      gradientCurvature({
        losses: { root: () => tf.tidy(() => tf.sqrt(tf.mul(v, 0))) as tf.Scalar },
        variables: { v },
      }),
    ).rejects.toThrow('the curvature of loss "root" must be a finite number, got NaN');
    await expect(gradientCurvature({ losses: { fails }, variables: { v }, radius: 0 })).rejects.toThrow(
      "radius must be a finite number, greater than 0, got 0",
    );
  });
  await expect(gradientCurvature({ variables: { v } } as never)).rejects.toThrow(
    "gradientCurvature: losses must be functions by name, got undefined",
  );
  expect(v.dataSync()[0]).toBe(1);
  const x = tf.scalar(1);
  await expect(gradientCurvature({ losses: { a: () => tf.square(x) }, variables: { x } })).rejects.toThrow(
    'variables["x"] must be a variable, got a tensor',
  );
  tf.dispose([v, x]);
});
