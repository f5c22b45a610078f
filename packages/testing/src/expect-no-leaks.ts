import * as tf from "@tensorflow/tfjs-core";

/** Runs `body` and asserts that it leaves as many tensors as it found. */
export async function expectNoLeaks(body: () => unknown): Promise<void> {
  const before = tf.memory().numTensors;
  await body();
  const left = tf.memory().numTensors - before;
  if (left !== 0) throw new Error(`expectNoLeaks: ${left} tensors more than before`);
}
