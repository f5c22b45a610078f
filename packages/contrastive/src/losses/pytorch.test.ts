import "@tensorflow/tfjs-backend-cpu";
import { readFileSync } from "node:fs";
import { expectCloseNorm, expectNoLeaks, recordParity, relativeError } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import {
  clipLoss,
  type Formulation,
  infoNCE,
  ntXent,
  type Reduced,
  sigLipLoss,
  supCon,
  tripletMargin,
} from "../index.js";

interface Golden {
  inputs: Record<"a" | "b" | "c", number[]>;
  labels: number[];
  [name: string]: unknown;
}
const golden = JSON.parse(
  readFileSync(new URL("../../fixtures/pytorch.json", import.meta.url), "utf8"),
) as Golden;
const shape: [number, number] = [4, 5];

type Loss = (...inputs: tf.Tensor2D[]) => Reduced<"none">;
const none = { reduction: "none" } as const;

const cases: Record<string, { inputs: string; loss: Loss; relative?: number }> = {
  clipLoss: { inputs: "ab scale", loss: (a, b, scale) => clipLoss(a, b, tf.exp(scale), none) },
  sigLipLoss: {
    inputs: "ab scale bias",
    loss: (a, b, scale, bias) => sigLipLoss(a, b, tf.exp(scale), bias, none),
  },
  tripletMargin: {
    inputs: "abc",
    loss: (a, b, c) => tripletMargin({ anchor: a, positive: b, negative: c }, none),
  },
  "tripletMargin swap": {
    inputs: "abc",
    loss: (a, b, c) =>
      tripletMargin({ anchor: a, positive: b, negative: c }, { margin: 2, swap: true, ...none }),
  },
};
for (const temperature of [0.5, 0.07, 0.001]) {
  const options = { temperature, ...none };
  // Float32's rounding of a cosine, about 1e-7, is divided by the temperature before it is exponentiated.
  const relative = temperature === 0.001 ? 1e-3 : 1e-5;
  cases[`infoNCE ${temperature}`] = { inputs: "ab", loss: (a, b) => infoNCE(a, b, options), relative };
  cases[`infoNCE queue ${temperature}`] = {
    inputs: "abc",
    loss: (a, b, negatives) => infoNCE(a, b, { negatives, ...options }),
    relative,
  };
  cases[`ntXent ${temperature}`] = { inputs: "ab", loss: (a, b) => ntXent(a, b, options), relative };
  for (const formulation of ["out", "in", "mil-nce"] as Formulation[]) {
    cases[`supCon ${formulation} ${temperature}`] = {
      inputs: "ab",
      loss: (a, b) => supCon(tf.concat([a, b]) as tf.Tensor2D, golden.labels, { formulation, ...options }),
      relative,
    };
  }
}

describe("PyTorch's values and gradients", () => {
  it.each(Object.entries(cases))("%s", async (name, { inputs: wanted, loss, relative = 1e-5 }) => {
    const [letters, ...scalars] = wanted.split(" ");
    const expected = golden[name] as { losses: number[]; gradients: number[][] };
    const inputs: tf.Tensor[] = [
      ...Array.from(letters, (letter) => tf.tensor2d(golden.inputs[letter as "a"], shape)),
      ...scalars.map((scalar) => tf.scalar(scalar === "scale" ? 2 : -3)),
    ];
    const run = (...given: tf.Tensor[]) => tf.tidy(() => loss(...(given as tf.Tensor2D[])));
    await expectNoLeaks(() => {
      const losses = run(...inputs);
      const gradients = tf.grads((...given) => tf.tidy(() => tf.mean(run(...given))))(inputs);
      expectCloseNorm(losses.dataSync(), expected.losses, { relative: 1e-5 });
      expect(gradients.length).toBe(expected.gradients.length);
      for (const [i, gradient] of gradients.entries()) {
        expectCloseNorm(gradient.dataSync(), expected.gradients[i], { relative, absolute: 1e-6 });
      }
      recordParity({
        name: name.split(" ")[0],
        peer: "PyTorch",
        value: relativeError(losses.dataSync(), expected.losses),
        gradient: Math.max(...gradients.map((x, i) => relativeError(x.dataSync(), expected.gradients[i]))),
      });
      tf.dispose([losses, gradients]);
    });
    tf.dispose(inputs);
  });
});
