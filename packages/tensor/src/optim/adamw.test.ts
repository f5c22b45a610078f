import { fileURLToPath } from "node:url";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";
import { readSafetensors } from "../io/files.js";
import { Parameter } from "../nn/parameter.js";
import { AdamW } from "./adamw.js";
import { clipGradNorm, globalNorm } from "./clip-grad-norm.js";
import { warmupConstant, warmupCosine } from "./schedules.js";

const fixture = fileURLToPath(new URL("../../fixtures/adamw.safetensors", import.meta.url));

/** Takes the tensor over. */
const parameterOf = (value: tf.Tensor) => {
  const parameter = new Parameter(value.shape);
  parameter.assign(value);
  value.dispose();
  return parameter;
};

describe.each(await testBackends())("AdamW on $name", ({ start }) => {
  beforeAll(start);

  it("is where PyTorch is after 100 clipped and scheduled steps, also when resumed halfway", async () => {
    await expectNoLeaks(async () => {
      const golden = await readSafetensors(fixture);
      const schedule = warmupCosine({ warmupSteps: 10, totalSteps: 100 });
      const parameters = [0, 1].map((i) => parameterOf(tf.clone(golden[`start.${i}`])));
      let optimizer = new AdamW(parameters, { learningRate: 1e-2 });
      for (let step = 0; step < 100; step++) {
        if (step === 50) {
          const state = optimizer.stateDict();
          optimizer.dispose();
          optimizer = new AdamW(parameters, { learningRate: 1e-2 });
          optimizer.loadStateDict(state);
          tf.dispose(state);
        }
        const raw = [0, 1].map((i) =>
          tf.tidy(() => tf.squeeze(tf.slice(golden[`gradients.${i}`], step, 1), [0])),
        );
        const { gradients, norm } = clipGradNorm(raw, 1);
        optimizer.step(gradients, 1e-2 * schedule(step));
        tf.dispose([raw, gradients, norm]);
      }
      for (const i of [0, 1]) {
        expectClose(await parameters[i].value.data(), await golden[`end.${i}`].data(), {
          relative: 1e-5,
          absolute: 1e-6,
        });
      }
      optimizer.dispose();
      for (const parameter of parameters) parameter.dispose();
      tf.dispose(golden);
    });
  });
});

describe("AdamW", () => {
  beforeAll(async () => void (await tf.setBackend("cpu")));

  it("leaves clones of a parameter as they were", () => {
    const parameter = parameterOf(tf.ones([5]));
    const clone = tf.clone(parameter.value);
    const optimizer = new AdamW([parameter], { learningRate: 0.1 });
    const gradient = tf.ones([5]);
    optimizer.step([gradient]);
    expectClose(clone, [1, 1, 1, 1, 1]);
    // The first step is the learning rate long, and decay takes a thousandth.
    expectClose(parameter.value, new Array(5).fill(1 - 1e-3 - 0.1), { relative: 1e-6 });
    optimizer.dispose();
    parameter.dispose();
    tf.dispose([clone, gradient]);
  });

  it("follows the paper's algorithm 2 with any settings, in float64", async () => {
    await expectNoLeaks(() => {
      const [learningRate, weightDecay, epsilon] = [0.03, 0.4, 1e-3];
      const betas = [0.8, 0.95] as const;
      const parameter = parameterOf(tf.tensor1d(normalArray(1, 5)));
      const optimizer = new AdamW([parameter], { learningRate, weightDecay, epsilon, betas });
      const [theta, m, v] = [Array.from(normalArray(1, 5)), Array(5).fill(0), Array(5).fill(0)];
      for (let t = 1; t <= 100; t++) {
        const g = normalArray(1 + t, 5);
        const gradient = tf.tensor1d(g);
        optimizer.step([gradient]);
        gradient.dispose();
        for (let i = 0; i < 5; i++) {
          m[i] = betas[0] * m[i] + (1 - betas[0]) * g[i];
          v[i] = betas[1] * v[i] + (1 - betas[1]) * g[i] ** 2;
          const [mean, spread] = [m[i] / (1 - betas[0] ** t), v[i] / (1 - betas[1] ** t)];
          theta[i] -= learningRate * (mean / (Math.sqrt(spread) + epsilon) + weightDecay * theta[i]);
        }
      }
      expectClose(parameter.value, theta, { relative: 1e-5, absolute: 1e-6 });
      optimizer.dispose();
      parameter.dispose();
    });
  });

  it("takes room for the intermediates of one parameter, not of all", async () => {
    const bytes = 4 * 1000;
    const parameters = Array.from({ length: 30 }, () => parameterOf(tf.ones([1000])));
    const gradients = parameters.map(() => tf.ones([1000]));
    const optimizer = new AdamW(parameters);
    const before = tf.memory().numBytes;
    const { peakBytes } = await tf.profile(() => optimizer.step(gradients));
    expect(peakBytes - before).toBeLessThan(20 * bytes);
    expect(tf.memory().numBytes).toBe(before);
    optimizer.dispose();
    tf.dispose(gradients);
    for (const parameter of parameters) parameter.dispose();
  });

  it("refuses gradients of another number or shape, and an incomplete state, and changes nothing then", async () => {
    await expectNoLeaks(() => {
      const parameter = parameterOf(tf.tensor1d([1, 2]));
      const optimizer = new AdamW([parameter]);
      const wrong = tf.ones([1]);
      expect(() => optimizer.step([])).toThrow(/expected 1 gradients.*got 0/);
      expect(() => optimizer.step([wrong])).toThrow("AdamW.step: gradient 0 must have shape [2], got [1]");
      const state = optimizer.stateDict();
      expect(() => optimizer.loadStateDict({ ...state, "exp_avg_sq.0": undefined as never })).toThrow(
        'AdamW.loadStateDict: "exp_avg_sq.0" is missing',
      );
      expect(() => optimizer.loadStateDict({ ...state, "exp_avg.0": wrong })).toThrow(
        'AdamW.loadStateDict: "exp_avg.0" must have shape [2], got [1]',
      );
      expect(optimizer.stepCount).toBe(0);
      expectClose(parameter.value, [1, 2]);
      tf.dispose([state, wrong]);
      optimizer.dispose();
      parameter.dispose();
    });
  });
});

describe("clipGradNorm", () => {
  it("leaves short gradients, and shortens long ones to the norm", async () => {
    await tf.setBackend("cpu");
    await expectNoLeaks(() => {
      const raw = [tf.tensor1d([3]), tf.tensor1d([0, 4])];
      for (const [maxNorm, expected] of [
        [10, [3, 0, 4]],
        [1, [0.6, 0, 0.8]],
      ] as const) {
        const { gradients, norm } = clipGradNorm(raw, maxNorm);
        expectClose(norm, [5], { relative: 1e-6 });
        expectClose(
          gradients.flatMap((gradient) => Array.from(gradient.dataSync())),
          expected,
          {
            relative: 1e-6,
          },
        );
        tf.dispose([gradients, norm]);
      }
      expect(() => clipGradNorm(raw, 0)).toThrow("clipGradNorm: maxNorm must be positive, got 0");
      tf.dispose(raw);
    });
  });
});

describe("globalNorm", () => {
  it("keeps float32's digits over small, many and long tensors", async () => {
    await tf.setBackend("cpu");
    const sizes = [3, 2 ** 20 + 5, 7, 2 ** 19, 2 ** 19, 1, 2];
    const values = sizes.map((size, i) => normalArray(i, size));
    const square = values.flatMap((all) => [...all]).reduce((sum, value) => sum + value * value, 0);
    await expectNoLeaks(() => {
      const tensors = values.map((all) => tf.tensor1d(all));
      const norm = globalNorm(tensors);
      // tfjs's cpu backend adds one by one, in float64.
      expectClose(norm, [Math.sqrt(square)], { relative: 1e-6 });
      tf.dispose([tensors, norm]);
    });
  });
});

describe("schedules", () => {
  it("rise linearly and then stay or fall", () => {
    const constant = warmupConstant({ warmupSteps: 4 });
    expectClose([0, 2, 4, 100].map(constant), [0, 0.5, 1, 1]);
    const cosine = warmupCosine({ warmupSteps: 10, totalSteps: 110 });
    expectClose([5, 10, 35, 60, 110, 150].map(cosine), [0.5, 1, 0.5 + Math.SQRT1_2 / 2, 0.5, 0, 0], {
      absolute: 1e-12,
    });
    expectClose([0, 5, 10].map(warmupCosine({ warmupSteps: 0, totalSteps: 10 })), [1, 0.5, 0], {
      absolute: 1e-12,
    });
  });
});
