import type { Communicator } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { withTensorScope } from "./tensor-scope.js";

/** Sums named tensors over the ranks; what is missing stays missing. The caller keeps the inputs and disposes the results. */
export async function sumOverRanks<K extends string>(
  communicator: Communicator,
  tensors: Partial<Record<K, tf.Tensor>>,
): Promise<Partial<Record<K, tf.Tensor>>> {
  const present = Object.entries(tensors).filter((entry): entry is [K, tf.Tensor] => entry[1] !== undefined);
  const sums = await communicator.allReduce(present.map(([, tensor]) => tensor));
  return Object.fromEntries(present.map(([name], i) => [name, sums[i]])) as Partial<Record<K, tf.Tensor>>;
}

/** Sums host numbers over the ranks, in float32. */
export async function sumNumbersOverRanks(
  communicator: Communicator,
  numbers: readonly number[],
): Promise<number[]> {
  // Alone there is nothing to round.
  if (communicator.size === 1) return [...numbers];
  return withTensorScope(async (scope) => {
    const own = scope.own(tf.tensor1d([...numbers]));
    const [sum] = scope.own(await communicator.allReduce([own]));
    return Array.from(await sum.data());
  });
}
