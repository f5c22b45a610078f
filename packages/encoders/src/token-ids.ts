import * as tf from "@tensorflow/tfjs-core";

/**
 * Checks the input of a text tower. Values are read where the backend can read a tensor at once (cpu, wasm).
 *
 * @throws if it is no int32 `[batch, 1..limit]`, or an id is not in 0..vocabSize - 1
 */
export function checkTokenIds(
  caller: string,
  inputIds: tf.Tensor2D,
  { limit, vocabSize }: { limit: number; vocabSize: number },
): void {
  const tokens = inputIds.shape[1];
  if (inputIds.rank !== 2 || inputIds.dtype !== "int32" || tokens === 0 || tokens > limit) {
    throw new Error(
      `${caller}: inputIds must be int32 [batch, 1..${limit}], got ${inputIds.dtype} [${inputIds.shape}]`,
    );
  }
  const backend = tf.getBackend();
  if (backend !== "cpu" && backend !== "wasm") return;
  const ids = inputIds.dataSync();
  const index = ids.findIndex((id) => id < 0 || id >= vocabSize);
  if (index < 0) return;
  const place = `[${Math.floor(index / tokens)}, ${index % tokens}]`;
  throw new Error(
    `${caller}: token ids must be in 0..${vocabSize - 1} (vocab_size ${vocabSize}), got ${ids[index]} at ${place}`,
  );
}
