import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, readSafetensors, type StateDict } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gatherPrefix, UNet2DConditionModel } from "./unet-2d-condition-model.js";

const folder = fileURLToPath(new URL("../../fixtures/unet-4-levels", import.meta.url));
const close = { relative: 1e-5, absolute: 2e-6 };
const closeGradient = { relative: 1e-5, absolute: 1e-5 };

// Four levels take 28 to 14, 7, 4 and 42 to 21, 11, 6: on the way up, levels of odd length are met.
describe.each(["28x28", "42x42", "7x9", "1x2"])("UNet2DConditionModel on %s latents", (size) => {
  let model: UNet2DConditionModel;
  let golden: StateDict;
  beforeAll(async () => {
    await initialize({ device: "wasm" });
    model = await UNet2DConditionModel.fromPretrained(folder);
    golden = await readSafetensors(join(folder, `golden-${size}.safetensors`));
  });
  afterAll(() => {
    model.dispose();
    tf.dispose(golden);
  });
  const sample = () => golden.sample as tf.Tensor4D;
  const timesteps = () => golden.timesteps as tf.Tensor1D;
  const states = () => golden.states as tf.Tensor3D;

  it("predicts and differentiates as diffusers does", async () => {
    await expectNoLeaks(() =>
      tf.tidy(() => {
        const run = (x: tf.Tensor, c: tf.Tensor) =>
          model.forward(x as tf.Tensor4D, timesteps(), { encoderHiddenStates: c as tf.Tensor3D });
        const output = run(sample(), states());
        expect(output.shape).toEqual(sample().shape);
        expectClose(output, golden.output, close);
        const [ofSample, ofStates] = tf.grads((x, c) => tf.sum(tf.mul(run(x, c), golden.weight)))([
          sample(),
          states(),
        ]);
        expectClose(ofSample, golden.sample_gradient, closeGradient);
        expectClose(ofStates, golden.states_gradient, closeGradient);
      }),
    );
  });

  it("does so from a shared prefix, and on the additive path", async () => {
    await expectNoLeaks(() =>
      tf.tidy(() => {
        const rows = tf.tensor1d([1, 0], "int32");
        const prefix = gatherPrefix(model.prefix(sample(), timesteps()), rows);
        const weight = tf.gather(golden.weight, rows);
        const shared = (c: tf.Tensor) =>
          model.suffix(prefix, { encoderHiddenStates: tf.gather(c, rows) as tf.Tensor3D });
        expectClose(shared(states()), tf.gather(golden.output, rows), close);
        expectClose(
          tf.grad((c) => tf.sum(tf.mul(shared(c), weight)))(states()),
          golden.states_gradient,
          closeGradient,
        );
        // One vector for all tokens: its gradient is the sum of theirs.
        const additive = (h: tf.Tensor) =>
          model.forward(sample(), timesteps(), { encoderHiddenStates: states(), additive: h as tf.Tensor2D });
        const zero = tf.zeros([2, 8]);
        expectClose(additive(zero), golden.output, close);
        expectClose(
          tf.grad((h) => tf.sum(tf.mul(additive(h), golden.weight)))(zero),
          tf.sum(golden.states_gradient, 1),
          closeGradient,
        );
      }),
    );
  });
});
