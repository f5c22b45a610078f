import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { arcFace } from "../losses/arc-face.js";
import { subCenterArcFace } from "../losses/sub-center-arc-face.js";
import { classLossModule } from "./class-loss-module.js";

it("trains its weights until the loss falls, and frees them", () => {
  const before = tf.memory().numTensors;
  const head = classLossModule(arcFace, { classes: 3, dim: 4, seed: 1 });
  const x = tf.tensor2d(normalArray(1, 24), [6, 4]);
  const labels = [0, 1, 2, 0, 1, 2];
  const step = () => {
    const { value, grads } = tf.variableGrads(
      () => head.loss(x, labels, { scale: 8 }) as tf.Scalar,
      [head.weights],
    );
    tf.tidy(() => head.weights.assign(tf.sub(head.weights, tf.mul(Object.values(grads)[0], 0.05))));
    const [loss] = value.dataSync();
    tf.dispose([value, grads]);
    return loss;
  };
  const first = step();
  for (let i = 0; i < 30; i++) step();
  expect(step()).toBeLessThan(first * 0.8);
  x.dispose();
  head.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it("has several centers where it is asked for, and the same weights for the same seed", () => {
  const heads = [3, 3, 4].map((seed) =>
    classLossModule(subCenterArcFace, { classes: 2, dim: 4, centers: 3, seed }),
  );
  expect(heads[0].weights.shape).toEqual([2, 3, 4]);
  const [first, again, other] = heads.map(({ weights }) => Array.from(weights.dataSync()));
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  expect(() => heads[0].loss(tf.ones([2, 4]), [0, 1], { weights: 3 } as never)).toThrow(
    'classLossModule: unknown option "weights"',
  );
  for (const head of heads) head.dispose();
  expect(() => classLossModule(arcFace, { classes: 1, dim: 4 })).toThrow(
    "classes must be an integer, at least 2, got 1",
  );
});
