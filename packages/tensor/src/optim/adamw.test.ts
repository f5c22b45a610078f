import { fileURLToPath } from "node:url";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";
import { readSafetensors } from "../io/files.js";
import { Parameter } from "../nn/parameter.js";
import { AdamW, type AdamWOptions } from "./adamw.js";
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
      const whole = tf.tensor1d([1, 2], "int32");
      expect(() => optimizer.step([whole])).toThrow("AdamW.step: gradient 0 must be float32, got int32 [2]");
      const empty = new Parameter([1]);
      const both = new AdamW([parameter, empty]);
      expect(() => both.step([parameter.value, wrong])).toThrow(
        "AdamW.step: parameter 1 [1] has no value yet",
      );
      expect(() => new AdamW([parameter.value as never])).toThrow(
        "AdamW: parameter 0 must be a Parameter, got",
      );
      both.dispose();
      whole.dispose();
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
      expect(() => clipGradNorm(raw, 0)).toThrow(
        "clipGradNorm: maxNorm must be a finite number, greater than 0, got 0",
      );
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

describe.each(await testBackends())("norms on $name", ({ start }) => {
  beforeAll(start);

  it.each([
    ["huge", [3e20, 4e20], 5e20],
    ["tiny", [3e-23, 4e-23], 5e-23],
    ["mixed", [1e20, 1e-23], 1e20],
    ["zero", [0, 0], 0],
    ["infinite", [1, -Infinity], Infinity],
    ["not a number", [1, NaN], NaN],
  ])("are right for %s gradients", async (_name, values, expected) => {
    const gradients = values.map((value) => tf.tensor1d([value]));
    const norm = globalNorm(gradients);
    expectClose(await norm.data(), [expected], { relative: 1e-6 });
    const clipped = clipGradNorm(gradients, 1);
    expectClose(await clipped.norm.data(), [expected], { relative: 1e-6 });
    if (Number.isFinite(expected)) {
      const factor = Math.min(1, 1 / (expected + 1e-6));
      for (const [i, gradient] of clipped.gradients.entries()) {
        expectClose(await gradient.data(), [values[i] * factor], { relative: 1e-5, absolute: 1e-38 });
      }
    }
    tf.dispose([gradients, norm, clipped.norm, clipped.gradients]);
  });

  it("are 0 for no elements", async () => {
    for (const none of [[], [tf.zeros([0, 2])]]) expectClose(await globalNorm(none).data(), [0]);
  });
});

describe("options", () => {
  const one = () => {
    const parameter = new Parameter([1]);
    parameter.assign(tf.ones([1]));
    return parameter;
  };
  const after = async (options: AdamWOptions) => {
    const parameter = one();
    new AdamW([parameter], options).step([tf.ones([1])]);
    return (await parameter.value.data())[0];
  };

  it("that are undefined have their defaults, PyTorch's", async () => {
    // torch.optim.AdamW([1.0], lr=1e-3, weight_decay=1e-2) after one step with gradient 1.
    const expected = 1 - 1e-3 * 1e-2 - 1e-3 / (1 + 1e-8);
    for (const name of ["learningRate", "betas", "epsilon", "weightDecay"]) {
      expectClose([await after({ [name]: undefined })], [expected], { relative: 1e-6 });
    }
  });

  it("each change the step: the epsilon in the denominator, the rate and the decay", async () => {
    expectClose([await after({ epsilon: 1, weightDecay: 0 })], [1 - 1e-3 / 2], { relative: 1e-6 });
    expectClose([await after({ learningRate: 0 })], [1]);
    expectClose([await after({ learningRate: 0.1, weightDecay: 0.5 })], [1 - 0.05 - 0.1], { relative: 1e-6 });
  });

  it("are refused where they are unknown or out of range", () => {
    const make = (options: object) => () => new AdamW([one()], options);
    expect(make({ lr: 1 })).toThrow(
      'AdamW: unknown option "lr"; expected some of learningRate, betas, epsilon, weightDecay',
    );
    expect(make({ learningRate: -1 })).toThrow(
      "AdamW: learningRate must be a finite number, at least 0, got -1",
    );
    expect(make({ epsilon: -1e-8 })).toThrow("AdamW: epsilon must be a finite number, at least 0");
    expect(make({ weightDecay: Number.NaN })).toThrow(
      "AdamW: weightDecay must be a finite number, at least 0, got NaN",
    );
    expect(make({ betas: [0.9, 1] })).toThrow(
      "AdamW: betas[1] must be a finite number, at least 0 and less than 1, got 1",
    );
    expect(make({ betas: [0.9] })).toThrow("AdamW: betas must be two numbers");
    const parameter = one();
    const optimizer = new AdamW([parameter]);
    expect(() => optimizer.step([tf.ones([1])], -1)).toThrow("AdamW.step: learningRate");
    expect(() => new AdamW([parameter, one(), parameter])).toThrow(
      "AdamW: parameters 0 and 2 are the same; list it once",
    );
    expect(() => warmupConstant({ warmupSteps: -1 })).toThrow(
      "warmupConstant: warmupSteps must be an integer, at least 0",
    );
    expect(() => warmupCosine({ warmupSteps: 0, totalSteps: 0 })).toThrow(
      "warmupCosine: totalSteps must be an integer, at least 1",
    );
    expect(() => warmupCosine({ warmupSteps: 0, totalSteps: 1, cycles: 2 } as never)).toThrow(
      'unknown option "cycles"',
    );
  });

  it("a state with other names or a broken step count changes nothing", () => {
    const optimizer = new AdamW([one()]);
    const state = optimizer.stateDict();
    expect(() => optimizer.loadStateDict({ ...state, extra: tf.ones([1]) })).toThrow('unexpected "extra"');
    expect(() => optimizer.loadStateDict({ ...state, step: tf.scalar(-1) })).toThrow(
      "must be an integer, at least 0, got -1",
    );
    expect(() => optimizer.loadStateDict({ ...state, "exp_avg.0": tf.ones([1], "int32") })).toThrow(
      "must be float32, got int32",
    );
    expect(optimizer.stepCount).toBe(0);
  });
});

describe.each(await testBackends())("AdamW of disposed tensors on $name", ({ start }) => {
  beforeAll(start);

  it("refuses them by name, changes nothing, and steps on", async () => {
    await expectNoLeaks(async () => {
      const parameters = [1, 2].map((n) => parameterOf(tf.fill([n], n)));
      const optimizer = new AdamW(parameters, { learningRate: 0.1, weightDecay: 0 });
      const gradients = [tf.ones([1]), tf.ones([2])];
      optimizer.step(gradients);
      const state = optimizer.stateDict();
      const held = async () => {
        const now = Object.values(optimizer.stateDict());
        const values = await Promise.all(
          [...now, ...parameters.map(({ value }) => value)].map((x) => x.data()),
        );
        tf.dispose(now);
        return values.map((x) => Array.from(x));
      };
      const before = await held();
      const dead = tf.ones([2]);
      dead.dispose();
      expect(() => optimizer.step([gradients[0], dead])).toThrow("AdamW.step: gradient 1 [2] is disposed");
      expect(() => optimizer.loadStateDict({ ...state, "exp_avg_sq.1": dead })).toThrow(
        'AdamW.loadStateDict: "exp_avg_sq.1" is disposed',
      );
      const noStep = tf.scalar(5, "int32");
      noStep.dispose();
      expect(() => optimizer.loadStateDict({ ...state, step: noStep })).toThrow('"step" is disposed');
      expect(await held()).toEqual(before);
      optimizer.step(gradients);
      expect(optimizer.stepCount).toBe(2);
      optimizer.dispose();
      expect(() => optimizer.step(gradients)).toThrow("AdamW.step: the optimizer is disposed");
      expect(() => optimizer.loadStateDict(state)).toThrow("AdamW.loadStateDict: the optimizer is disposed");
      tf.dispose([gradients, state]);
      for (const parameter of parameters) parameter.dispose();
    });
  });
});

describe("AdamW refuses", () => {
  it.each([undefined, null, 5, new Map()])("%s for gradients and for a state", (value) => {
    const optimizer = new AdamW([]);
    expect(() => optimizer.step(value as never)).toThrow(
      "AdamW.step: gradients must be an array of tensors, got",
    );
    expect(() => optimizer.loadStateDict(value as never)).toThrow(
      "AdamW.loadStateDict: expected an object of tensors by their names, got",
    );
    expect(() => optimizer.loadStateDict({ step: 1 as never })).toThrow(
      'AdamW.loadStateDict: "step" must be a tensor, got 1',
    );
    expect(optimizer.stepCount).toBe(0);
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
    for (const step of [-5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => constant(step)).toThrow("warmupConstant: step must be");
      expect(() => cosine(step)).toThrow("warmupCosine: step must be");
    }
    expectClose([0, 5, 10].map(warmupCosine({ warmupSteps: 0, totalSteps: 10 })), [1, 0.5, 0], {
      absolute: 1e-12,
    });
  });
});
