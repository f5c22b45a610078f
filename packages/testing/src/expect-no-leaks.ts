import * as tf from "@tensorflow/tfjs-core";

/**
 * Throws unless there are as many tensors alive after `f` (awaited) as before it. Run `f` once beforehand if its first
 * call fills a cache that is meant to stay.
 */
export async function expectNoLeaks(f: () => unknown): Promise<void> {
  const before = tf.memory().numTensors;
  await f();
  const after = tf.memory().numTensors;
  if (after !== before) {
    throw new Error(
      `${before} tensors before, ${after} after: ${after > before ? `${after - before} leaked` : `${before - after} of someone else's disposed`}`,
    );
  }
}
