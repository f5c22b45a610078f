import * as tf from "@tensorflow/tfjs-core";

/** Tensors of a piece of work that waits in between, where `tf.tidy` cannot serve. */
export interface TensorScope {
  /** Has the scope dispose it at its end: a tensor, an array or object that holds tensors, or what has a `dispose()`. */
  own<T extends object>(owned: T): T;
}

/** Runs `work`, then disposes all that its scope owns, also where it throws. */
export async function withTensorScope<T>(work: (scope: TensorScope) => Promise<T>): Promise<T> {
  const owned: object[] = [];
  try {
    return await work({
      own: (given) => {
        // Others' code may give no object: its check names that, and there is nothing to free.
        if (typeof given === "object" && given !== null) owned.push(given);
        return given;
      },
    });
  } finally {
    for (const each of owned) {
      if ("dispose" in each && typeof each.dispose === "function") each.dispose();
      else tf.dispose(each as tf.TensorContainer);
    }
  }
}
