import type { Denoiser, NoisyBatch, Savings } from "@dcr-js/diffusion";
import { type StableDiffusion, UNet2DConditionModel } from "@dcr-js/diffusion";
import { initialize, Random } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { dcrTerms, reconstructionTerm } from "./condition-terms.js";
import { type DCRPredictions, dcrLoss, dcrLossTerms } from "./dcr-loss.js";

const n = 3;
let unet: StableDiffusion["unet"];
let emptyPrompt: tf.Tensor3D;
let batch: NoisyBatch;
let conditions: tf.Tensor2D;
let augmented: tf.Tensor2D;

beforeAll(async () => {
  await initialize({ device: "wasm" });
  const random = new Random(5);
  unet = new UNet2DConditionModel({
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
    block_out_channels: [8, 16],
    layers_per_block: 1,
    cross_attention_dim: 12,
    attention_head_dim: 2,
    norm_num_groups: 4,
  }).initialize(random);
  emptyPrompt = random.normal([1, 5, 12]) as tf.Tensor3D;
  batch = {
    noisy: random.normal([n, 8, 8, 4]) as tf.Tensor4D,
    target: random.normal([n, 8, 8, 4]) as tf.Tensor4D,
    timesteps: Int32Array.of(20, 400, 950),
  };
  conditions = random.normal([n, 12]) as tf.Tensor2D;
  augmented = random.normal([n, 12]) as tf.Tensor2D;
});
afterAll(() => {
  unet.dispose();
  tf.dispose([emptyPrompt, batch.noisy, batch.target, conditions, augmented]);
});

const denoiser = (savings: Savings): Denoiser => ({
  unet,
  emptyPrompt,
  savings: { chunk: 0, sharedPrefix: false, additive: false, ...savings },
});

/** The loss with every graph held at once and no saving, differentiated by tfjs. */
function plain(lossOf: (inputs: DCRPredictions) => tf.Scalar = (inputs) => dcrLoss(inputs)) {
  const predict = (image: number, h: tf.Tensor) =>
    unet.forward(tf.slice(batch.noisy, image, 1), tf.tensor1d([batch.timesteps[image]], "int32"), {
      encoderHiddenStates: tf.add(emptyPrompt, tf.expandDims(h, 1)) as tf.Tensor3D,
    });
  return tf.valueAndGrads((h: tf.Tensor, a: tf.Tensor) => {
    const rows = Array.from({ length: n }, (_, i) =>
      tf.concat(Array.from({ length: n }, (_, k) => predict(i, tf.slice(h, k, 1)))),
    );
    const views = tf.concat(Array.from({ length: n }, (_, i) => predict(i, tf.slice(a, i, 1))));
    return lossOf({ predictions: tf.stack(rows), augmented: views, target: batch.target });
  })([conditions, augmented]);
}

describe("dcrTerms", () => {
  it.each<[string, Savings]>([
    ["no saving", {}],
    ["chunks of one", { chunk: 1 }],
    ["chunks of five", { chunk: 5 }],
    ["a shared prefix", { sharedPrefix: true }],
    ["additive conditioning", { additive: true }],
    ["all savings", { chunk: 4, sharedPrefix: true, additive: true }],
  ])("with %s agree with the plain path", async (_, savings) => {
    await expectNoLeaks(() => {
      const expected = plain();
      const terms = dcrTerms(denoiser(savings), batch, conditions, augmented);
      tf.tidy(() => {
        const weighted = (part: (index: number) => tf.Tensor) =>
          tf.addN(terms.map((term, i) => tf.mul(part(i), term.weight)));
        expectClose(weighted((i) => terms[i].value).dataSync(), expected.value.dataSync(), {
          relative: 1e-5,
        });
        const scale = (x: tf.Tensor) => 1e-5 * tf.max(tf.abs(x)).dataSync()[0];
        expectClose(
          weighted((i) => terms[i].conditions),
          expected.grads[0],
          {
            relative: 1e-5,
            absolute: scale(expected.grads[0]),
          },
        );
        expectClose(
          weighted((i) => terms[i].augmented!),
          expected.grads[1],
          {
            relative: 1e-5,
            absolute: scale(expected.grads[1]),
          },
        );
      });
      tf.dispose([expected.value, expected.grads, terms as unknown as tf.TensorContainer]);
    });
  });
});

describe("dcrTerms, apart by positive", () => {
  it.each([0, 5])("each is that positive's own loss, in chunks of %i", async (chunk) => {
    await expectNoLeaks(() => {
      const terms = dcrTerms(denoiser({ chunk }), batch, conditions, augmented);
      for (const [i, positive] of (["augmented", "target"] as const).entries()) {
        const expected = plain((inputs) => tf.mean(dcrLossTerms(inputs)[positive]!));
        expectClose(terms[i].value, expected.value, { relative: 1e-5 });
        expectCloseNorm(terms[i].conditions, expected.grads[0], { relative: 1e-5 });
        expectCloseNorm(terms[i].augmented!, expected.grads[1], { relative: 1e-5 });
        tf.dispose([expected.value, expected.grads]);
      }
      tf.dispose(terms as unknown as tf.TensorContainer);
    });
  });
});

describe("reconstructionTerm", () => {
  it.each<[string, Savings]>([
    ["chunks of two", { chunk: 2 }],
    ["all savings", { chunk: 2, sharedPrefix: true, additive: true }],
  ])("is the same with %s as without", async (_, savings) => {
    await expectNoLeaks(() => {
      const [a, b] = [{}, savings].map((each) => reconstructionTerm(denoiser(each), batch, conditions));
      expectClose(a.value.dataSync(), b.value.dataSync(), { relative: 1e-5 });
      expectClose(a.conditions, b.conditions, { relative: 1e-5, absolute: 1e-8 });
      tf.dispose([a.value, a.conditions, b.value, b.conditions]);
    });
  });
});
