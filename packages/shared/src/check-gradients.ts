import * as tf from "@tensorflow/tfjs-core";
import { checkFunction, checkNumber, checkOptions, describe } from "./check-options.js";
import { expectClose, type Tolerance } from "./expect-close.js";
import { normalArray } from "./inputs.js";

export interface CheckGradientsOptions extends Tolerance {
  /** Distance between the points of the difference, above 0, default `1 / 32`. Take less near a kink (relu, max, sort). */
  step?: number;
}

/**
 * Throws unless the gradients that tfjs computes for `f` agree with finite differences of `f` on the current backend,
 * for every element of every input. The output is contracted with fixed random numbers, so that each of its elements
 * takes part with a weight of its own.
 *
 * The difference is the five-point one, with error `step ** 4`: float32 rounding asks for a large step, and the higher
 * order pays for it. The contraction is summed in float64. Cost: four evaluations of `f` per input element, so keep the
 * inputs small (tens of elements) and their values near 1.
 *
 * The difference is formula 25.3.6 of Abramowitz and Stegun.
 *
 * @param f Differentiable; takes as many tensors as there are `inputs`.
 * @param inputs Float32 tensors; the caller keeps and disposes them.
 * @param options Tolerance default: `relative` 1e-3, `absolute` 1e-4.
 * @throws with the input, the worst element and both values, when a gradient is wrong or has another shape.
 *
 * @example
 * await checkGradients((a, b) => myLoss(a, b), [tf.randomNormal([4, 8]), tf.randomNormal([4, 8])]);
 */
export async function checkGradients(
  f: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: tf.Tensor[],
  options: CheckGradientsOptions = {},
): Promise<void> {
  const names = { step: true, relative: true, absolute: true } as const;
  const { step = 1 / 32, relative = 1e-3, absolute = 1e-4 } = checkOptions("checkGradients", options, names);
  checkNumber("checkGradients: step", step, { above: 0 });
  checkFunction("checkGradients: f", f);
  if (!Array.isArray(inputs) || inputs.length === 0) {
    throw new TypeError(
      `checkGradients: inputs must be an array of one tensor or more, got ${describe(inputs)}`,
    );
  }
  for (const [i, x] of inputs.entries()) {
    if (!(x instanceof tf.Tensor)) {
      throw new TypeError(`checkGradients: input ${i} must be a tensor, got ${describe(x)}`);
    }
    const { dtype, shape } = x;
    if (dtype !== "float32") {
      throw new TypeError(`checkGradients: input ${i} must be float32, got ${dtype} [${shape}]`);
    }
  }
  const values = await Promise.all(inputs.map((x) => x.data() as Promise<Float32Array>));

  const outputShape = tf.tidy(() => {
    const y: unknown = f(...inputs);
    if (y instanceof tf.Tensor) return [...y.shape];
    const hint = tf.util.isPromise(y) ? "; it must not be async" : "";
    throw new TypeError(`checkGradients: f must return a tensor, got ${describe(y)}${hint}`);
  }) as number[];
  const weights = normalArray(20, tf.util.sizeFromShape(outputShape));

  const analytic = tf.tidy(() => tf.grads(f)(inputs, tf.tensor(weights, outputShape)));

  const evaluate = async (which: number, changed: Float32Array): Promise<number> => {
    const y = tf.tidy(() =>
      f(...inputs.map((x, i) => (i === which ? tf.tensor(changed, x.shape) : tf.clone(x)))),
    );
    const data = (await y.data()) as Float32Array;
    y.dispose();
    return data.reduce((sum, value, i) => sum + value * weights[i]!, 0);
  };

  try {
    for (const [which, x] of inputs.entries()) {
      const gradient = analytic[which]!;
      if (gradient.shape.join() !== x.shape.join()) {
        throw new Error(
          `input ${which}: gradient has shape [${gradient.shape}], input has shape [${x.shape}]`,
        );
      }
      const numerical = new Float64Array(x.size);
      const point = Float32Array.from(values[which]!);
      for (let i = 0; i < x.size; i++) {
        const at = async (multiple: number): Promise<number> => {
          point[i] = values[which]![i]! + multiple * step;
          const result = await evaluate(which, point);
          point[i] = values[which]![i]!;
          return result;
        };
        const near = (await at(1)) - (await at(-1));
        const far = (await at(2)) - (await at(-2));
        numerical[i] = (8 * near - far) / (12 * step);
      }
      try {
        expectClose(await gradient.data(), numerical, { relative, absolute });
      } catch (error) {
        throw new Error(`gradient of input ${which} (shape [${x.shape}]): ${(error as Error).message}`);
      }
    }
  } finally {
    tf.dispose(analytic);
  }
}
