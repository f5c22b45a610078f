import "@tensorflow/tfjs-backend-cpu";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "./shared/register-gradients.js";
import { learnedTemperature } from "./learned-temperature.js";

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

it("refuses values out of range", () => {
  expect(() => learnedTemperature({ initial: 0.001 })).toThrow(
    "initial must be a finite number, at least 0.01, got 0.001",
  );
  expect(() => learnedTemperature({ min: 0 })).toThrow("min must be a finite number, greater than 0, got 0");
});
