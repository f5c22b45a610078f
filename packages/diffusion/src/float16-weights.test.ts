import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPTextModel } from "@dcr-js/encoders";
import {
  hasFloat16Storage,
  initialize,
  type Module,
  readSafetensors,
  type StateDict,
  webgpuStatistics,
} from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UNet2DConditionModel } from "./unet/unet-2d-condition-model.js";
import { AutoencoderKL } from "./vae/autoencoder-kl.js";

/** CLIP's fixtures are those of the package that has the model. */
const fixture = (name: string) =>
  fileURLToPath(
    new URL(`../../${name.startsWith("clip-") ? "encoders" : "diffusion"}/fixtures/${name}`, import.meta.url),
  );
const hasHalves = await initialize({ device: "software" }).then(hasFloat16Storage, () => false);

type Storage = { storage: "float16" };
type Model = Module & { savePretrained: (folder: string, options: { dtype: "F16" }) => Promise<void> };

/** Each model, outputs that every weight has a part in, gradients, and how far all of them may be off the float32 model's. */
const models: Record<
  string,
  {
    load: (folder: string, options?: Storage) => Promise<Model>;
    run: (model: never, golden: StateDict) => tf.Tensor[];
    relative: number;
  }
> = {
  "unet-sd1": {
    load: UNet2DConditionModel.fromPretrained,
    relative: 2e-3,
    run: (model: UNet2DConditionModel, golden) => {
      const run = (states: tf.Tensor) =>
        model.forward(golden.sample as tf.Tensor4D, golden.timesteps as tf.Tensor1D, {
          encoderHiddenStates: states as tf.Tensor3D,
        });
      return [
        run(golden.states),
        tf.grad((states) => tf.sum(tf.mul(run(states), golden.weight)))(golden.states),
      ];
    },
  },
  vae: {
    load: AutoencoderKL.fromPretrained,
    relative: 6e-3,
    run: (model: AutoencoderKL, golden) => {
      const { mean, logvar } = model.encode(golden.pixels as tf.Tensor4D);
      const decode = (z: tf.Tensor) => model.decode(z as tf.Tensor4D);
      const gradient = tf.grad((z) => tf.sum(tf.square(decode(z))))(golden.latents);
      return [mean, logvar, decode(golden.latents), gradient];
    },
  },
  "clip-text-gelu": {
    load: CLIPTextModel.fromPretrained,
    relative: 2e-3,
    run: (model: CLIPTextModel, golden) => {
      const { lastHiddenState, pooled } = model.forward(golden["input_ids"] as tf.Tensor2D);
      return [lastHiddenState, pooled];
    },
  },
};

if (hasHalves)
  describe.each(Object.entries(models))("%s, loaded as float16", (name, { load, run, relative }) => {
    const folder = fixture(name);
    let halves = "";
    let golden: StateDict;
    let full: Model;
    let expected: tf.Tensor[];
    beforeAll(async () => {
      await initialize({ device: "software" });
      golden = await readSafetensors(join(folder, "golden.safetensors"));
      full = await load(folder);
      expected = tf.tidy(() => run(full as never, golden));
      halves = await mkdtemp(join(tmpdir(), "float16-"));
      await full.savePretrained(halves, { dtype: "F16" });
    });
    afterAll(async () => {
      tf.dispose([golden, expected]);
      full.dispose();
      await rm(halves, { recursive: true });
    });
    const outputs = (model: Model) => tf.tidy(() => run(model as never, golden));
    const bytes = () => (tf.memory() as never as { numBytesInGPU: number }).numBytesInGPU;

    it("lies on the device in only half the bytes, and is frozen", async () => {
      await expectNoLeaks(async () => {
        const [before, counts] = [bytes(), webgpuStatistics()];
        const model = await load(folder, { storage: "float16" });
        tf.dispose(outputs(model));
        const after = webgpuStatistics();
        tf.dispose(outputs(model));
        const ofInputs = webgpuStatistics().uploadedBytes - after.uploadedBytes;
        const sizes = model.parameters().map(({ shape }) => 2 * tf.util.sizeFromShape(shape));
        const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
        expect(after.uploadedBytes - counts.uploadedBytes - ofInputs).toBe(sum(sizes));
        expect(after.dispatchesByKernel["StoreAs"]).toBe(counts.dispatchesByKernel["StoreAs"]);
        // Buffers are padded to 16 bytes.
        expect(bytes() - before).toBe(sum(sizes.map((size) => Math.ceil(size / 16) * 16)));
        expect(new Set(model.parameters().map(({ storage }) => storage))).toEqual(new Set(["float16"]));
        expect(model.trainableParameters()).toEqual([]);
        model.dispose();
        expect(bytes()).toBe(before);
      });
    });

    it("computes what the rounded weights do in float32, near the float32 model", async () => {
      await expectNoLeaks(async () => {
        const [half, ofHalves, rounded] = [
          await load(folder, { storage: "float16" }),
          await load(halves, { storage: "float16" }),
          await load(halves),
        ];
        const results = [half, ofHalves, rounded].map(outputs);
        for (const [i, exact] of expected.entries()) {
          const [ofHalf, ofFile, ofRounded] = await Promise.all(results.map((y) => y[i].data()));
          expectClose(ofFile, ofHalf);
          expectCloseNorm(ofHalf, ofRounded, { relative: 1e-5 });
          // Each weight is off by at most 2^-11, which is 5e-4, of itself.
          expectCloseNorm(ofHalf, await exact.data(), { relative });
        }
        tf.dispose(results);
        for (const model of [half, ofHalves, rounded]) model.dispose();
      });
    });
  });
