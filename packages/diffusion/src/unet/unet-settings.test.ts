import { initialize, type StateDict, valueAndGradients } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { giveWeights, readGolden, readSettings, type Setting } from "../../test/settings-fixture.js";
import { UNet2DConditionModel, type UNetInputs } from "./unet-2d-condition-model.js";

const settings = readSettings("unet-settings");
const modelOf = ({ config, shapes }: Setting) => giveWeights(new UNet2DConditionModel(config), shapes);
const close = { relative: 1e-5 };

describe.each(Object.entries(settings))("UNet2DConditionModel with %s", (name, setting) => {
  let model: UNet2DConditionModel;
  let golden: StateDict;
  let inputs: UNetInputs;
  beforeAll(async () => {
    await initialize({ device: "wasm" });
    model = modelOf(setting);
    golden = await readGolden("unet-settings", name);
    const { labels, textEmbeds, timeIds } = golden as Record<string, never>;
    inputs = { classLabels: labels, addedConditions: textEmbeds && { textEmbeds, timeIds } };
  });
  afterAll(() => {
    model.dispose();
    tf.dispose(golden);
  });

  const run = (sample = golden.sample, states = golden.states, more = inputs) =>
    model.forward(sample as tf.Tensor4D, golden.timesteps as tf.Tensor1D, {
      encoderHiddenStates: states as tf.Tensor3D,
      ...more,
    });

  it.each([false, true])(
    "predicts and differentiates as diffusers does, gradient checkpointing %s",
    async (flag) => {
      model.enableGradientCheckpointing(flag);
      await expectNoLeaks(() =>
        tf.tidy(() => {
          expectCloseNorm(run(), golden.output, close);
          const [sample, states] = tf.grads((x, c) => tf.sum(tf.mul(run(x, c), golden.weight)))([
            golden.sample,
            golden.states,
          ]);
          expectCloseNorm(sample, golden.sample_gradient, close);
          expectCloseNorm(states, golden.states_gradient, close);
          const { value, gradients } = valueAndGradients(
            () => tf.tidy(() => tf.sum(tf.mul(run(), golden.weight)) as tf.Scalar),
            [model.time_embedding.linear_1.weight],
          );
          expectCloseNorm(gradients[0], golden.time_gradient, close);
          tf.dispose([value, gradients]);
        }),
      );
      model.enableGradientCheckpointing(false);
    },
  );

  it("gives the same on the additive path", () => {
    tf.tidy(() => {
      const h = tf.tensor2d([0.5, -1, 2, 0, 1, -0.5, 1, 1, -2, 0.3, 0, 0.7], [2, 6]);
      const added = tf.add(golden.states, tf.expandDims(h, 1));
      const suffix = model.forward(golden.sample as tf.Tensor4D, golden.timesteps as tf.Tensor1D, {
        encoderHiddenStates: golden.states as tf.Tensor3D,
        additive: h,
        ...inputs,
      });
      expectCloseNorm(suffix, run(golden.sample, added), close);
    });
  });

  if (name.includes("class") || name === "text_time")
    it("takes one row of inputs for the whole batch, and names a missing, superfluous or misshapen one", async () => {
      await expectNoLeaks(() =>
        tf.tidy(() => {
          const first = (x: tf.Tensor | undefined) => x && tf.slice(x, 0, 1);
          const repeated = (x: tf.Tensor | undefined) => x && tf.concat([first(x)!, first(x)!]);
          const { classLabels, addedConditions } = inputs;
          const map = (f: typeof first) => ({
            classLabels: f(classLabels) as tf.Tensor1D,
            addedConditions: addedConditions && {
              textEmbeds: f(addedConditions.textEmbeds) as tf.Tensor2D,
              timeIds: f(addedConditions.timeIds) as tf.Tensor2D,
            },
          });
          expectClose(run(undefined, undefined, map(first)), run(undefined, undefined, map(repeated)));
          // One of the two for the batch, and the other for each image.
          if (addedConditions) {
            const [once, twice] = [map(first).addedConditions!, map(repeated).addedConditions!];
            for (const mixed of [
              { ...once, timeIds: twice.timeIds },
              { ...twice, timeIds: once.timeIds },
            ]) {
              expectClose(
                run(undefined, undefined, { addedConditions: mixed }),
                run(undefined, undefined, map(first)),
              );
            }
          }
          const which = classLabels ? /classLabels/ : /addedConditions|timeIds/;
          expect(() => run(undefined, undefined, {})).toThrow(which);
          const wide = (x: tf.Tensor | undefined) => x && tf.concat([x, x], x.rank - 1);
          expect(() => run(undefined, undefined, map(wide))).toThrow(which);
          const plain = modelOf(settings["kernels"]);
          expect(() =>
            plain.forward(golden.sample as tf.Tensor4D, golden.timesteps as tf.Tensor1D, {
              encoderHiddenStates: golden.states as tf.Tensor3D,
              ...inputs,
            }),
          ).toThrow(which);
          plain.dispose();
        }),
      );
    });
});

describe("gradient checkpointing", () => {
  it("holds less than half the bytes between the forward and the backward pass", () => {
    const model = modelOf(settings["lists"]);
    tf.tidy(() => {
      const held = (flag: boolean) => {
        model.enableGradientCheckpointing(flag);
        let bytes = 0;
        const states = tf.ones([1, 3, 6]);
        const sample = tf.ones([1, 16, 16, 2]) as tf.Tensor4D;
        const before = tf.memory().numBytes;
        tf.grad((c) => {
          const y = model.forward(sample, tf.tensor1d([5]), { encoderHiddenStates: c as tf.Tensor3D });
          bytes = tf.memory().numBytes - before;
          return tf.sum(y);
        })(states);
        return bytes;
      };
      expect(held(true)).toBeLessThan(held(false) / 2);
    });
    model.dispose();
  });
});
