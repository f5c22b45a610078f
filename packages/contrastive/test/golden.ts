import "@tensorflow/tfjs-backend-cpu";
import { readFileSync } from "node:fs";
import { expectCloseNorm, expectNoLeaks, recordParity, relativeError } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import "../src/shared/register-gradients.js";

interface Golden {
  labels: number[];
  referenceLabels: number[];
  inputs: Record<string, { shape: number[]; values: number[] }>;
  sinkhorn: number[];
  cases: Record<string, { inputs: string[]; value: number; gradients: number[][] }>;
  mined: Record<string, number[][]>;
}

/** Values of pytorch-metric-learning and lightly in float64, made by tools/reference/contrastive_libraries.py. */
export const golden = JSON.parse(
  readFileSync(new URL("../fixtures/libraries.json", import.meta.url), "utf8"),
) as Golden;

const lightly = [
  "decoupled",
  "vicReg",
  "barlowTwins",
  "negativeCosine",
  "koLeo",
  "mmcr",
  "tiCo",
  "swav",
  "dino",
  "sigReg",
  "leJEPA",
];
/** The peers of the cases that are not pytorch-metric-learning's. */
const peers: Record<string, string> = {
  ...Object.fromEntries(lightly.map((name) => [name, "lightly"])),
  debiased: "the authors' code",
  hardNegative: "the authors' code",
  alignment: "the authors' code",
  uniformity: "the authors' code",
};

/** An input of the golden cases; the caller disposes it. */
export function goldenInput(name: string): tf.Tensor {
  const { shape, values } = golden.inputs[name];
  return tf.tensor(values, shape, "float32");
}

/**
 * Compares a loss with its golden case: its value and the gradient at each of the case's inputs, to a relative 1e-5 (norms), and that it
 * leaves no tensor behind.
 */
export async function expectGolden(
  name: string,
  loss: (...inputs: tf.Tensor[]) => tf.Tensor,
  { relative = 1e-5 }: { relative?: number } = {},
): Promise<void> {
  const { inputs: names, value, gradients } = golden.cases[name];
  const inputs = names.map(goldenInput);
  await expectNoLeaks(() => {
    const result = tf.valueAndGrads((...given: tf.Tensor[]) => {
      // tfjs refuses inputs that the value does not depend on; this gives them a gradient of zero.
      const nothing = tf.addN(given.map((x) => tf.mul(tf.sum(x), 0)));
      return tf.add(
        tf.tidy(() => loss(...given)),
        nothing,
      ) as tf.Scalar;
    })(inputs);
    expectCloseNorm(result.value.dataSync(), [value], { relative });
    for (const [i, gradient] of result.grads.entries()) {
      expectCloseNorm(gradient.dataSync(), gradients[i], { relative, absolute: 1e-6 });
    }
    const [own, ...rest] = [result.value, ...result.grads].map((x) => x.dataSync());
    recordParity({
      name: name.split(" ")[0],
      peer: peers[name.split(" ")[0]] ?? "pytorch-metric-learning",
      value: relativeError(own, [value]),
      gradient: Math.max(...rest.map((x, i) => relativeError(x, gradients[i]))),
    });
    tf.dispose([result.value, result.grads]);
  });
  tf.dispose(inputs);
}
