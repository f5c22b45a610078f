import * as tf from "@tensorflow/tfjs-core";
import { apartFromTape, isRecording, record, visitOps } from "../shared/gradients-tape.js";

/**
 * `fn(...inputs)` without its intermediates on the gradient tape: the backward pass runs `fn` once more (gradient checkpointing; Chen et
 * al. 2016, section 4). Gradients flow to the inputs and to every other tensor that `fn` reads, such as a variable within a user's
 * similarity, and they can be differentiated again.
 *
 * @param fn does the same when it is called again
 * @returns a tensor that the caller owns
 * @throws in the backward pass, where a tensor that `fn` reads besides its inputs was disposed
 */
export function recomputed<I extends tf.Tensor[]>(
  fn: (...inputs: I) => tf.Tensor,
  inputs: readonly [...I],
): tf.Tensor {
  if (!isRecording()) return tf.tidy(() => fn(...(inputs as unknown as I)));
  return tf.tidy(() => {
    // The copies are on the tape, where a second derivative looks for the inputs.
    const saved = inputs.map((x) => tf.keep(tf.clone(x))) as I;
    const own = new Set(saved.map(({ id }) => id));
    const firstOwn = tf.scalar(0).id;
    const others = new Set<tf.Tensor>();
    let result: tf.Tensor;
    try {
      result = visitOps(
        () => {
          const value = tf.tidy(() => fn(...saved));
          return value.id < firstOwn ? tf.clone(value) : value;
        },
        (node) => {
          for (const x of Object.values(node.inputs)) if (x.id < firstOwn && !own.has(x.id)) others.add(x);
        },
      );
    } catch (error) {
      tf.dispose(saved);
      throw error;
    }
    const sources = [...inputs, ...others];
    const points = [...saved, ...others];
    record({
      kernelName: "Recomputed",
      inputs: Object.fromEntries(sources.entries()),
      outputs: [result],
      saved,
      gradient([dy]) {
        for (const x of others) {
          if (!x.isDisposed) continue;
          throw new Error(
            `a loss in blocks reads a tensor [${x.shape}] that was disposed before the backward pass; make it within the function, or keep it`,
          );
        }
        const needed = Object.keys(this.inputs).map(Number);
        const at = needed.map((i) => points[i]);
        const differentiate = () => tf.engine().gradients(() => fn(...saved), at, dy ?? undefined, true);
        const { grads } = isRecording() ? differentiate() : apartFromTape(differentiate);
        return Object.fromEntries(
          needed.map((source, i) => [source, () => grads[i] ?? tf.zeros(at[i].shape)]),
        );
      },
    });
    return result;
  });
}
