import "@tensorflow/tfjs-backend-cpu";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "./shared/register-gradients.js";
import { learnedTemperature } from "./learned-temperature.js";
import { clipLoss } from "./losses/clip.js";
import { margin } from "./losses/margin.js";
import { sigLipLoss } from "./losses/siglip.js";

it("starts at CLIP's 1 / 0.07, is trained, and is clamped at 100", () => {
  const before = tf.memory().numTensors;
  const temperature = learnedTemperature();
  tf.tidy(() => {
    expectClose(temperature.scale(), [1 / 0.07], { relative: 1e-6 });
    const { grads } = tf.variableGrads(() => temperature.scale(), [temperature.logScale as tf.Variable]);
    expectClose(Object.values(grads)[0], [1 / 0.07], { relative: 1e-6 });
    temperature.logScale.assign(tf.scalar(9));
    expectClose(temperature.scale(), [100], { relative: 1e-6 });
  });
  temperature.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it("is taken as a Parameter or a tf.layers weight, as a bias and a boundary are", () => {
  tf.tidy(() => {
    const [x, y] = [rowsAt([0, 1, 2, 3]), rowsAt([1, 1.5, 2, 0])];
    const held = (value: number) => {
      const tensor = tf.scalar(value);
      return [tensor, { value: tensor }, { val: tensor }];
    };
    for (const scale of held(9)) expectClose(clipLoss(x, y, scale), clipLoss(x, y, 9), {});
    for (const bias of held(-3)) expectClose(sigLipLoss(x, y, 9, bias), sigLipLoss(x, y, 9, -3), {});
    const labels = [0, 0, 1, 1];
    for (const beta of held(0.7))
      expectClose(margin(x, labels, { beta }), margin(x, labels, { beta: 0.7 }), {});
    expect(() => clipLoss(x, y, { value: 3 } as never)).toThrow(
      "clipLoss: logitScale must be a finite number",
    );
    expect(() => clipLoss(x, y, { value: tf.ones([2]) })).toThrow("got shape [2]");
  });
});

it("refuses values out of range", () => {
  expect(() => learnedTemperature({ initial: 0.001 })).toThrow(
    "initial must be a finite number, at least 0.01, got 0.001",
  );
  expect(() => learnedTemperature({ min: 0 })).toThrow("min must be a finite number, greater than 0, got 0");
});

/** Rows at angles: pairs of equal rows ask for a large scale, pairs of others for a small one. */
const rowsAt = (angles: number[]) => tf.tensor2d(angles.map((angle) => [Math.cos(angle), Math.sin(angle)]));
const [equal, other] = [
  [0, 0.2, 0.4],
  [0.4, 0, 0.2],
];

it("comes back from beyond its clamp, and goes no further, as where open_clip clamps the parameter itself", () => {
  const log100 = Math.log(100);
  const before = tf.memory().numTensors;
  const temperature = learnedTemperature();
  const step = (texts: number[]) =>
    tf.tidy(() => {
      const loss = () => clipLoss(rowsAt(equal), rowsAt(texts), temperature.scale());
      const { grads } = tf.variableGrads(loss, [temperature.logScale as tf.Variable]);
      const [gradient] = Object.values(grads);
      temperature.logScale.assign(tf.sub(temperature.logScale, tf.mul(gradient, 0.02)) as tf.Scalar);
      return temperature.logScale.dataSync()[0];
    });
  tf.tidy(() => temperature.logScale.assign(tf.scalar(log100 + 0.2)));
  expect(step(equal)).toBe(Math.fround(log100 + 0.2));
  let logScale = step(other);
  for (let i = 0; i < 5; i++) logScale = step(other);
  expect(logScale).toBeLessThan(log100);
  temperature.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

// open_clip's train.py clamps the parameter at log 100 after each step; its loss clamps nothing.
it("has the unclamped loss's gradient at a parameter of log 100, whose exponential is beyond 100 in float32", () => {
  tf.tidy(() => {
    const v = tf.scalar(Math.log(100));
    for (const texts of [equal, other]) {
      const [x, y] = [rowsAt(equal), rowsAt(texts)];
      const scores = (scale: tf.Tensor) => tf.mul(tf.matMul(x, y, false, true), scale);
      const plain = tf.grad((u) => {
        const logits = scores(tf.exp(u));
        const both = tf.add(tf.logSoftmax(logits), tf.transpose(tf.logSoftmax(tf.transpose(logits))));
        return tf.div(tf.sum(tf.mul(tf.eye(3), both)), -6);
      })(v);
      const tolerance = { relative: 1e-4, absolute: 1e-5 };
      expectClose(tf.grad((u) => clipLoss(x, y, tf.exp(u)))(v), plain, tolerance);
      const pairwise = tf.grad((u) => {
        const signs = tf.sub(tf.mul(tf.eye(3), 2), 1);
        return tf.div(tf.sum(tf.softplus(tf.neg(tf.mul(signs, tf.sub(scores(tf.exp(u)), 95))))), 3);
      })(v);
      expectClose(tf.grad((u) => sigLipLoss(x, y, tf.exp(u), -95))(v), pairwise, tolerance);
    }
  });
});
