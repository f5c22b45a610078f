// Specs on the package as its users bundle it: the fused ops against PyTorch's values, and training.

import * as dcr from "@dcr-js/tensor";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { declareGoldenSpecs } from "./golden-specs.js";
import { type Results, runSpecs } from "./jasmine.js";

/** The example of the README; returns the losses of the first and the last step. */
async function train(steps: number): Promise<[number, number]> {
  const random = new dcr.Random(0);
  const layers = [new dcr.Linear(2, 32), new dcr.Linear(32, 1)];
  for (const [i, layer] of layers.entries()) layer.initialize(random.fork(i));
  const parameters = layers.flatMap((layer) => layer.parameters());
  const optimizer = new dcr.AdamW(parameters, { learningRate: 1e-2 });
  const x = random.uniform([64, 2], -1, 1);
  const target = tf.tidy(() => tf.prod(x, 1, true));
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { value, gradients } = dcr.valueAndGradients(
      () =>
        tf.tidy(() =>
          tf.mean(tf.squaredDifference(layers[1].forward(dcr.gelu(layers[0].forward(x))), target)),
        ),
      parameters,
    );
    optimizer.step(gradients);
    losses.push((await value.data())[0]);
    tf.dispose([value, gradients]);
  }
  tf.dispose([x, target]);
  optimizer.dispose();
  for (const layer of layers) layer.dispose();
  return [losses[0], losses[steps - 1]];
}

export async function run(): Promise<Results> {
  setWasmPaths("/wasm/");
  const { adapter, backend } = await dcr.initialize({ device: "software" });

  await declareGoldenSpecs(backend);

  describe("training", () => {
    for (const [device, name] of [
      ["wasm", "wasm"],
      ["software", backend],
    ] as const) {
      it(`lowers its loss on ${name}`, async () => {
        await dcr.initialize({ device });
        expect(tf.getBackend()).toBe(name);
        const before = tf.memory().numTensors;
        const [first, last] = await train(60);
        expect(last).toBeLessThan(first / 5);
        expect(tf.memory().numTensors).toBe(before);
      });
    }
  });

  return runSpecs(adapter!);
}
