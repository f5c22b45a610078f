import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, Random, readSafetensors, type StateDict, valueAndGradients } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gatherPrefix, UNet2DConditionModel } from "./unet-2d-condition-model.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));

describe.each(["unet-sd1", "unet-sd2"])("UNet2DConditionModel %s", (name) => {
  let model: UNet2DConditionModel;
  let golden: StateDict;

  beforeAll(async () => {
    await initialize({ device: "wasm" });
    model = await UNet2DConditionModel.fromPretrained(fixture(name));
    golden = await readSafetensors(join(fixture(name), "golden.safetensors"));
  });
  afterAll(() => {
    model.dispose();
    tf.dispose(golden);
  });

  const run = (sample = golden.sample, states = golden.states) =>
    model.forward(sample as tf.Tensor4D, golden.timesteps as tf.Tensor1D, {
      encoderHiddenStates: states as tf.Tensor3D,
    });

  it("predicts what diffusers predicts", async () => {
    await expectNoLeaks(() => {
      const output = run();
      expectClose(output, golden.output, { relative: 1e-5, absolute: 2e-6 });
      output.dispose();
    });
  });

  it("has diffusers' gradients at its inputs", () => {
    tf.tidy(() => {
      const [sample, states] = tf.grads((x, c) => tf.sum(tf.mul(run(x, c as tf.Tensor), golden.weight)))([
        golden.sample,
        golden.states,
      ]);
      expectClose(sample, golden.sample_gradient, { relative: 1e-5, absolute: 1e-5 });
      expectClose(states, golden.states_gradient, { relative: 1e-5, absolute: 1e-5 });
    });
  });

  it("has diffusers' gradients at its weights", () => {
    const named = new Map(model.namedParameters());
    const names = [
      "conv_in.weight",
      "mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight",
      "up_blocks.0.resnets.0.norm1.weight",
    ];
    const { value, gradients } = valueAndGradients(
      () => tf.tidy(() => tf.sum(tf.mul(run(), golden.weight)) as tf.Scalar),
      names.map((parameter) => named.get(parameter)!),
    );
    const conv = tf.transpose(gradients[0], [3, 2, 0, 1]);
    expectClose(conv, golden.conv_in_gradient, { relative: 1e-5, absolute: 3e-5 });
    expectClose(gradients[1], golden.value_gradient, { relative: 1e-5, absolute: 3e-5 });
    expectClose(gradients[2], golden.norm_gradient, { relative: 1e-5, absolute: 3e-5 });
    tf.dispose([value, conv, gradients]);
  });

  it("gives the same on the additive path, and the same gradient", () => {
    tf.tidy(() => {
      const random = new Random(3);
      const u = random.normal([1, 5, 12]) as tf.Tensor3D;
      const h = random.normal([3, 12]) as tf.Tensor2D;
      const plain = (vector: tf.Tensor) => run(golden.sample, tf.add(u, tf.expandDims(vector, 1)));
      const additive = (vector: tf.Tensor) =>
        model.forward(golden.sample as tf.Tensor4D, golden.timesteps as tf.Tensor1D, {
          encoderHiddenStates: u,
          additive: vector as tf.Tensor2D,
        });
      expectClose(additive(h), plain(h), { relative: 1e-5, absolute: 2e-6 });
      expectClose(
        tf.grad((x) => tf.sum(tf.mul(additive(x), golden.weight)))(h),
        tf.grad((x) => tf.sum(tf.mul(plain(x), golden.weight)))(h),
        { relative: 1e-5, absolute: 1e-5 },
      );
    });
  });

  it("gives the same from a shared prefix", () => {
    tf.tidy(() => {
      const prefix = model.prefix(golden.sample as tf.Tensor4D, golden.timesteps as tf.Tensor1D);
      const rows = tf.tensor1d([2, 0, 2], "int32");
      const states = golden.states as tf.Tensor3D;
      const shared = model.suffix(gatherPrefix(prefix, rows), { encoderHiddenStates: states });
      const plain = model.forward(
        tf.gather(golden.sample, rows) as tf.Tensor4D,
        tf.gather(golden.timesteps, rows) as tf.Tensor1D,
        { encoderHiddenStates: states },
      );
      expectClose(shared, plain, { relative: 1e-5, absolute: 2e-6 });
    });
  });

  it("loads what it saved", async () => {
    const folder = await mkdtemp(join(tmpdir(), "unet-"));
    try {
      await model.savePretrained(folder);
      const again = await UNet2DConditionModel.fromPretrained(folder);
      const [saved, own] = [again.stateDict(), model.stateDict()];
      expect(Object.keys(saved)).toEqual(Object.keys(own));
      for (const key of Object.keys(own)) expectClose(saved[key], own[key], { relative: 0, absolute: 0 });
      tf.dispose([saved, own]);
      again.dispose();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("UNet2DConditionModel's errors", () => {
  it("name an unsupported block, a missing folder and a wrong width", async () => {
    expect(
      () =>
        new UNet2DConditionModel({
          down_block_types: ["AttnDownBlock2D"] as never,
          up_block_types: ["UpBlock2D"],
          block_out_channels: [8],
        }),
    ).toThrow(/down_block_types\.0.*AttnDownBlock2D/);
    await expect(UNet2DConditionModel.fromPretrained("/nowhere")).rejects.toThrow(/\/nowhere/);
    const model = await UNet2DConditionModel.fromPretrained(fixture("unet-sd1"));
    const [sample, timesteps, states] = [tf.zeros([1, 8, 8, 4]), tf.zeros([1]), tf.zeros([1, 5, 7])];
    expect(() =>
      model.forward(sample as tf.Tensor4D, timesteps as tf.Tensor1D, {
        encoderHiddenStates: states as tf.Tensor3D,
      }),
    ).toThrow(/\[1 or 1, tokens, 12\], got \[1,5,7\]/);
    tf.dispose([sample, timesteps, states]);
    model.dispose();
  });
});
