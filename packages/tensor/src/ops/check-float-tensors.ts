import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";

/**
 * Checks that the inputs of an op are float32 tensors, and alive: our kernels would read the bits of other types as floats.
 *
 * @param caller the public function, for the error
 * @param tensors by their names
 * @param optional those that may be null or undefined
 */
export function checkFloatTensors(
  caller: string,
  tensors: Record<string, tf.Tensor>,
  optional: Record<string, tf.Tensor | null | undefined> = {},
): void {
  const given = Object.entries(optional).filter(([, x]) => x !== null && x !== undefined);
  for (const [name, x] of [...Object.entries(tensors), ...given]) {
    if (!(x instanceof tf.Tensor)) {
      throw new TypeError(`${caller}: ${name} must be a tensor, got ${describe(x)}`);
    }
    if (x.isDisposed) throw new Error(`${caller}: ${name} [${x.shape}] is disposed`);
    if (x.dtype !== "float32") {
      throw new TypeError(
        `${caller}: ${name} must be float32, got ${x.dtype} [${x.shape}]; use tf.cast(${name}, "float32")`,
      );
    }
  }
}
