import { readFileSync } from "node:fs";
import { expectCloseNorm, expectNoLeaks, recordParity, relativeError } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import "../src/shared/register-gradients.js";

interface Golden {
  inputs: Record<"a" | "b" | "c", number[]>;
  labels: number[];
  [name: string]: unknown;
}

/** Values of PyTorch in float64, made by tools/reference/contrastive_pytorch.py. */
export const pytorch = JSON.parse(
  readFileSync(new URL("../fixtures/pytorch.json", import.meta.url), "utf8"),
) as Golden;

/** Float32's rounding of a cosine, about 1e-7, is divided by the temperature before it is exponentiated. */
export const temperatures = [
  { temperature: 0.5, relative: 1e-5 },
  { temperature: 0.07, relative: 1e-5 },
  { temperature: 0.001, relative: 1e-3 },
];

/**
 * Compares a loss with PyTorch's: its values to a relative 1e-5 and the gradient of their mean at each input (norms), and that it leaves no
 * tensor behind.
 *
 * @param wanted the inputs: letters of matrices, then `scale` (2) and `bias` (-3)
 */
export async function expectPyTorch(
  name: string,
  wanted: string,
  loss: (...inputs: tf.Tensor2D[]) => tf.Tensor,
  { relative = 1e-5 }: { relative?: number } = {},
): Promise<void> {
  const [letters, ...scalars] = wanted.split(" ");
  const expected = pytorch[name] as { losses: number[]; gradients: number[][] };
  const inputs: tf.Tensor[] = [
    ...Array.from(letters, (letter) => tf.tensor2d(pytorch.inputs[letter as "a"], [4, 5])),
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
}
