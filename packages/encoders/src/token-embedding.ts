import type { Embedding } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Embeds token ids and adds their positions.
 *
 * @param caller whose input it is, for the error
 * @param inputIds int32 `[batch, tokens]`
 * @returns `[batch, tokens, hidden_size]`
 * @throws on another shape or type, and on an id outside the vocabulary (where the backend can tell)
 */
export function embedTokens(
  caller: string,
  inputIds: tf.Tensor2D,
  tables: { token_embedding: Embedding; position_embedding: Embedding },
  settings: { vocab_size: number; max_position_embeddings: number; hidden_size: number },
): tf.Tensor3D {
  const { max_position_embeddings: limit, vocab_size: vocabSize, hidden_size: width } = settings;
  checkTokenIds(caller, inputIds, { limit, vocabSize });
  return tf.tidy(() => {
    const embedded = tables.token_embedding.forward(inputIds) as tf.Tensor3D;
    const positions = tf.slice(tables.position_embedding.weight.value, 0, [inputIds.shape[1], width]);
    return tf.add(embedded, positions);
  });
}

/**
 * Checks the input of a text tower. Values are read where the backend can read a tensor at once (cpu, wasm).
 *
 * @throws if it is no int32 `[batch, 1..limit]`, or an id is not in 0..vocabSize - 1
 */
function checkTokenIds(
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
