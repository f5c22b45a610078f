import * as dcr from "@dcr-js/tensor";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { fusedOps, goldenCase } from "../fused-ops.js";

/** Declares a spec for each fused op: PyTorch's output and gradients, on the backend that runs. */
export async function declareGoldenSpecs(backend: string): Promise<void> {
  const bytes = await (await fetch("/ops.safetensors")).arrayBuffer();
  describe("fused ops", () => {
    let golden: dcr.StateDict;
    beforeAll(() => {
      golden = dcr.parseSafetensors(bytes, "ops.safetensors");
    });
    afterAll(() => tf.dispose(golden));
    for (const [name, op] of Object.entries(fusedOps(dcr))) {
      it(`${name} has PyTorch's output and gradients`, async () => {
        const { names, inputs, output, weight, gradients: expected } = goldenCase(golden, name);
        expect(tf.getBackend()).toBe(backend);
        const before = tf.memory().numTensors;
        const compute = (...values: tf.Tensor[]) =>
          op(Object.fromEntries(values.map((value, i) => [names[i], value])));
        const y = compute(...inputs);
        const gradients = tf.grads((...values: tf.Tensor[]) => tf.sum(tf.mul(compute(...values), weight)))(
          inputs,
        );
        const tolerance = { relative: 1e-5, absolute: 5e-6 };
        expectClose(await y.data(), await output.data(), tolerance);
        for (const [i, gradient] of gradients.entries()) {
          expectClose(await gradient.data(), await expected[i].data(), tolerance);
        }
        tf.dispose([y, gradients]);
        expect(tf.memory().numTensors).toBe(before);
      });
    }
  });
}
