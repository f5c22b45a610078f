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
    ).toThrow(/\[1 or 1, tokens, 12\] of float32, got \[1,5,7\]/);
    tf.dispose([sample, timesteps, states]);
    model.dispose();
  });

  it("name each input that does not fit", async () => {
    const model = await UNet2DConditionModel.fromPretrained(fixture("unet-sd1"));
    await expectNoLeaks(() =>
      tf.tidy(() => {
        const [sample, timesteps] = [tf.zeros([2, 4, 4, 4]) as tf.Tensor4D, tf.tensor1d([1, 2], "int32")];
        const encoderHiddenStates = tf.zeros([2, 3, 12]) as tf.Tensor3D;
        const prefix = model.prefix(sample, timesteps);
        const of = (shape: number[], dtype: "int32" | "float32" = "float32") =>
          tf.zeros(shape, dtype) as never;
        for (const [run, message] of [
          [() => model.prefix(of([2, 4, 4, 3]), timesteps), /sample must be .*got \[2,4,4,3\]/],
          [() => model.prefix(of([0, 4, 4, 4]), of([0])), /sample must be .*got \[0,4,4,4\]/],
          [() => model.prefix(of([2, 4, 4, 4], "int32"), timesteps), /sample must be .*of int32/],
          [() => model.prefix(sample, of([1])), /timesteps must be \[2\], .*got \[1\]/],
          [() => model.prefix(sample, timesteps, { labels: 1 } as never), /unknown option "labels"/],
          [() => model.suffix(prefix, {} as never), /encoderHiddenStates must be .*got \[undefined\]/],
          [() => model.suffix(prefix, { encoderHiddenStates: of([2, 0, 12]) }), /got \[2,0,12\]/],
          [() => model.suffix(prefix, { encoderHiddenStates: of([3, 3, 12]) }), /\[2 or 1, .*got \[3,3,12\]/],
          [() => model.suffix(prefix, { encoderHiddenStates: of([2, 3, 12], "int32") }), /of int32/],
          [
            () => model.suffix(prefix, { encoderHiddenStates, additive: of([1, 12]) }),
            /additive must be \[2, 12\]/,
          ],
          [() => model.suffix(prefix, { encoderHiddenStates, mask: 1 } as never), /unknown option "mask"/],
          [() => gatherPrefix(prefix, of([2])), /rows must be \[pairs\] of int32, got \[2\] of float32/],
        ] as const) {
          expect(run).toThrow(message);
        }
      }),
    );
    model.dispose();
  });

  it("name the class of a folder that is another's, and unknown options", async () => {
    for (const method of ["fromPretrained", "fromConfig"] as const) {
      await expect(UNet2DConditionModel[method](fixture("vae"))).rejects.toThrow(
        /must have _class_name "UNet2DConditionModel", got "AutoencoderKL"/,
      );
      await expect(
        UNet2DConditionModel[method](fixture("unet-sd1"), { precision: 16 } as never),
      ).rejects.toThrow(`UNet2DConditionModel.${method}: unknown option "precision"`);
    }
  });
});

describe("UNet2DConditionModel.fromConfig", () => {
  it("has the shapes of the model, and no weights", async () => {
    await expectNoLeaks(async () => {
      const model = await UNet2DConditionModel.fromConfig(fixture("unet-sd1"));
      const loaded = await UNet2DConditionModel.fromPretrained(fixture("unet-sd1"));
      const shapes = (one: UNet2DConditionModel) =>
        Array.from(one.namedParameters(), ([name, { shape }]) => [name, shape]);
      expect(shapes(model)).toEqual(shapes(loaded));
      expect(model.parameters().some(({ isMaterialized }) => isMaterialized)).toBe(false);
      loaded.dispose();
    });
  });
});
