import { fileURLToPath } from "node:url";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";
import { initialize } from "../device/initialize.js";
import { readSafetensors } from "../io/files.js";
import { Parameter } from "../nn/parameter.js";
import { AdamW } from "./adamw.js";
import { clipGradNorm } from "./clip-grad-norm.js";
import { warmupConstant, warmupCosine } from "./schedules.js";

const fixture = fileURLToPath(new URL("../../fixtures/adamw.safetensors", import.meta.url));

describe.each(await testBackends())("AdamW on $name", ({ start }) => {
  it("is where PyTorch is after 100 clipped and scheduled steps, also when resumed halfway", async () => {
    await start();
    await expectNoLeaks(async () => {
      const golden = await readSafetensors(fixture);
      const schedule = warmupCosine({ warmupSteps: 10, totalSteps: 100 });
      const parameters = [0, 1].map((i) => {
        const parameter = new Parameter(golden[`start.${i}`].shape);
        parameter.assign(golden[`start.${i}`]);
        return parameter;
      });
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
        const [actual, expected] = [await parameters[i].value.data(), await golden[`end.${i}`].data()];
        expectClose(actual, expected, { relative: 1e-5, absolute: 1e-6 });
      }
      optimizer.dispose();
      for (const parameter of parameters) parameter.dispose();
      tf.dispose(golden);
    });
  });
});

describe("AdamW", () => {
  it("leaves clones of a parameter as they were", async () => {
    await initialize({ device: "wasm" });
    const parameter = new Parameter([5]);
    parameter.assign(tf.ones([5]));
    const clone = tf.clone(parameter.value);
    const optimizer = new AdamW([parameter], { learningRate: 0.1 });
    optimizer.step([tf.ones([5])]);
    expectClose(clone, [1, 1, 1, 1, 1]);
    // The first step is the learning rate long, and decay takes a thousandth.
    expectClose(parameter.value, new Array(5).fill(1 - 1e-3 - 0.1), { relative: 1e-6 });
    optimizer.dispose();
    parameter.dispose();
    clone.dispose();
  });

  it("refuses another number of gradients", async () => {
    await initialize({ device: "cpu" });
    const parameter = new Parameter([2]);
    parameter.assign(tf.tensor1d([1, 2]));
    const optimizer = new AdamW([parameter]);
    expect(() => optimizer.step([])).toThrow(/expected 1 gradients.*got 0/);
    optimizer.dispose();
    parameter.dispose();
  });
});

describe("schedules", () => {
  it("rise linearly and then stay or fall", () => {
    const constant = warmupConstant({ warmupSteps: 4 });
    expectClose([0, 2, 4, 100].map(constant), [0, 0.5, 1, 1]);
    const cosine = warmupCosine({ warmupSteps: 10, totalSteps: 110 });
    expectClose([5, 10, 60, 110].map(cosine), [0.5, 1, 0.5, 0], { absolute: 1e-12 });
  });
});
