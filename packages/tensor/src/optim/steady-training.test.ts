import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";
import { backendName } from "../backend/webgpu/backend-name.js";
import { webgpuStatistics } from "../backend/webgpu/webgpu-statistics.js";
import { LayerNorm, Linear } from "../nn/layers.js";
import { gelu } from "../ops/activation.js";
import { Random } from "../random.js";
import { AdamW } from "./adamw.js";
import { valueAndGradients } from "./value-and-gradients.js";

const steps = 500;
/** Until then buffers and pipelines are made. */
const settled = 20;

/** Counts of tensors and bytes on the host and the device. */
function held() {
  const { numTensors, numDataBuffers, numBytes } = tf.memory();
  const { numBytesInGPU = 0, numBytesInPool = 0 } = tf.memory() as {
    numBytesInGPU?: number;
    numBytesInPool?: number;
  };
  const made = tf.getBackend() === backendName ? webgpuStatistics() : null;
  return {
    ...{ numTensors, numDataBuffers, numBytes, numBytesInGPU, numBytesInPool },
    ...{ buffersCreated: made?.buffersCreated, pipelinesCreated: made?.pipelinesCreated },
  };
}

describe.each(await testBackends())("500 steps on $name", ({ start }) => {
  it("hold the same tensors and bytes after each, and make no new buffer or pipeline", async () => {
    await start();
    const before = tf.memory().numTensors;
    const random = new Random(0);
    const first = new Linear(8, 24).initialize(random.fork(1));
    const norm = new LayerNorm(24).initialize(random.fork(2));
    const second = new Linear(24, 1).initialize(random.fork(3));
    const parameters = [first, norm, second].flatMap((layer) => layer.parameters());
    const optimizer = new AdamW(parameters, { learningRate: 3e-3 });
    const batches = Array.from({ length: 4 }, (_, i) => tf.tensor2d(normalArray(i, 16 * 8), [16, 8]));
    const losses: number[] = [];
    let steady = held();
    for (let step = 0; step < steps; step++) {
      const x = batches[step % batches.length];
      const { value, gradients } = valueAndGradients(
        () =>
          tf.tidy(() => {
            const target = tf.sin(tf.sum(x, 1, true));
            const predicted = second.forward(norm.forward(gelu(first.forward(x))));
            return tf.mean(tf.squaredDifference(predicted, target)) as tf.Scalar;
          }),
        parameters,
      );
      optimizer.step(gradients);
      if (step % 10 === 9) losses.push((await value.data())[0]);
      tf.dispose([value, gradients]);
      if (step === settled) steady = held();
      if (step > settled) expect(held()).toEqual(steady);
    }
    expect(losses.every(Number.isFinite)).toBe(true);
    // Single losses of this small problem jump about; their mean over the last hundred steps does not.
    const last = losses.slice(-10).reduce((sum, loss) => sum + loss, 0) / 10;
    expect(last).toBeLessThan(losses[0] / 3);
    tf.dispose(batches);
    optimizer.dispose();
    for (const layer of [first, norm, second]) layer.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
