// Specs on WebAssembly, with two threads where the page is cross-origin isolated and with one elsewhere.

import * as dcr from "@dcr-js/tensor";
import { expectClose } from "@dcr-js/testing";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { declareGoldenSpecs } from "./golden-specs.js";
import { type Results, runSpecs } from "./jasmine.js";

/** The loss of a small block of a UNet, and its gradients; sizes that are cut in pieces, evenly and not. */
async function trainingStep(): Promise<number[]> {
  const random = new dcr.Random(1);
  const [batch, size, channels, width] = [3, 15, 12, 40];
  const shapes: number[][] = [
    [batch, size, size, channels],
    [3, 3, channels, width],
    ...[[width], [width], [width], [width], [width]],
    ...[[width, width], [width, width], [width], [1, 77, width]],
  ];
  const inputs = shapes.map((shape) => tf.tidy(() => tf.mul(random.normal(shape), 0.5)));
  const loss = (...[x, filter, bias, w1, b1, w2, b2, projection, out, outBias, context]: tf.Tensor[]) => {
    const options = { padding: 1 };
    const image = dcr.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, bias as tf.Tensor1D, options);
    const group = { groups: 4, activation: "silu" } as const;
    const normed = dcr.groupNorm(image, w1 as tf.Tensor1D, b1 as tf.Tensor1D, group);
    const tokens = dcr.layerNorm(
      tf.reshape(normed, [batch, size * size, width]),
      w2 as tf.Tensor1D,
      b2 as tf.Tensor1D,
    );
    const query = dcr.linear(tokens, projection as tf.Tensor2D) as tf.Tensor3D;
    const self = dcr.scaledDotProductAttention(query, tokens as tf.Tensor3D, query, { heads: 5 });
    const keys = context as tf.Tensor3D;
    const cross = dcr.scaledDotProductAttention(self, keys, keys, { heads: 5 });
    const y = dcr.linear(dcr.gelu(tf.add(self, cross)), out as tf.Tensor2D, outBias as tf.Tensor1D);
    return tf.mean(tf.square(y)) as tf.Scalar;
  };
  const { value, grads } = tf.valueAndGrads(loss)(inputs);
  const values = [value, ...grads].map((tensor) => [...tensor.dataSync()]);
  tf.dispose([inputs, value, grads]);
  return values.flat();
}

/** `expected`: what another page found for the training step. */
export async function run(expected: number[] | null): Promise<Results> {
  setWasmPaths("/wasm/");
  const { backend, threads } = await dcr.initialize({ device: "wasm", threads: 2 });
  await declareGoldenSpecs(backend);
  let numbers: number[] = [];

  it("computes a training step, the same on every page", async () => {
    const before = tf.memory().numTensors;
    numbers = await trainingStep();
    expect(tf.memory().numTensors).toBe(before);
    expect(numbers.every(Number.isFinite)).toBeTrue();
    // The order of a sum is another one where threads share it.
    if (expected) expectClose(numbers, expected, { relative: 1e-4, absolute: 1e-6 });
  });

  it("keeps its threads and tensors when it is initialized again", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    expect((await dcr.initialize({ device: "wasm" })).threads).toBe(threads);
    expect(await x.data()).toEqual(new Float32Array([1, 2, 3]));
    x.dispose();
  });

  it("finds tensors in place after its memory has grown", async () => {
    const random = new dcr.Random(2);
    const a = random.normal([256, 256]);
    const product = (x: tf.Tensor2D) => tf.tidy(() => tf.matMul(x, x, false, true).dataSync());
    const before = product(a as tf.Tensor2D);
    const large = tf.fill([96, 1024, 1024], 1);
    const beyond = tf.tensor2d(a.dataSync(), [256, 256]);
    expect(product(beyond)).toEqual(before);
    tf.dispose([a, large, beyond]);
  });

  if (threads! > 1) {
    it("gives a part of the work to its worker", () => {
      const take = spyOn(Atomics, "sub").and.callThrough();
      const a = tf.ones([512, 512]);
      const everything = 5; // four pieces, and none left
      let taken = everything;
      for (let i = 0; i < 1000 && taken === everything; i++) {
        take.calls.reset();
        tf.dispose(tf.matMul(a, a));
        taken = take.calls.count();
      }
      expect(taken).toBeLessThan(everything);
      a.dispose();
    });
  }

  return { ...(await runSpecs(`wasm, threads: ${threads}`)), numbers };
}
