import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  hasFloat16Storage,
  initialize,
  readSafetensors,
  type StateDict,
  webgpuStatistics,
} from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addLoRA } from "../lora/lora.js";
import { CLIPModel } from "./clip-model.js";
import { CLIPVisionModel } from "./clip-vision-model.js";

const folder = fileURLToPath(new URL("../../fixtures/clip-gelu", import.meta.url));
const hasHalves = await initialize({ device: "software" }).then(hasFloat16Storage, () => false);
const float16 = { storage: "float16" } as const;

if (hasHalves)
  describe("CLIPModel loaded as float16", () => {
    let golden: StateDict;
    beforeAll(async () => {
      golden = await readSafetensors(join(folder, "golden.safetensors"));
    });
    afterAll(() => tf.dispose(golden));
    const bytes = () => (tf.memory() as never as { numBytesInGPU: number }).numBytesInGPU;
    const run = (model: CLIPModel) =>
      tf.tidy(() => [
        model.encodeImage(golden["pixels"] as tf.Tensor4D),
        model.encodeText(golden["input_ids"] as tf.Tensor2D),
        tf.exp(model.logit_scale.value),
      ]);

    it("lies on the device in only half the bytes, and is frozen", async () => {
      const full = await CLIPModel.fromPretrained(folder);
      tf.dispose(run(full));
      full.dispose();
      await expectNoLeaks(async () => {
        const [before, counts] = [bytes(), webgpuStatistics()];
        const model = await CLIPModel.fromPretrained(folder, float16);
        tf.dispose(run(model));
        const after = webgpuStatistics();
        tf.dispose(run(model));
        const ofInputs = webgpuStatistics().uploadedBytes - after.uploadedBytes;
        // The temperature, a scalar, stays on the host.
        const onDevice = model.parameters().filter(({ shape }) => shape.length > 0);
        const sizes = onDevice.map(({ shape }) => 2 * tf.util.sizeFromShape(shape));
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
      const halves = await mkdtemp(join(tmpdir(), "clip-float16-"));
      await expectNoLeaks(async () => {
        const full = await CLIPModel.fromPretrained(folder);
        await full.savePretrained(halves, { dtype: "F16" });
        const models = [
          full,
          await CLIPModel.fromPretrained(halves),
          await CLIPModel.fromPretrained(halves, float16),
          await CLIPModel.fromPretrained(folder, float16),
        ];
        const results = models.map(run);
        for (const i of [0, 1, 2]) {
          const [ofFull, ofRounded, ofFile, ofHalf] = await Promise.all(results.map((y) => y[i].data()));
          expectClose(ofFile, ofHalf);
          expectCloseNorm(ofHalf, ofRounded, { relative: 1e-5 });
          // Each weight is off by at most 2^-11, which is 5e-4, of itself.
          expectCloseNorm(ofHalf, ofFull, { relative: 3e-3 });
        }
        tf.dispose(results);
        for (const model of models) model.dispose();
      });
      await rm(halves, { recursive: true });
    });

    it("takes adapters, which train in float32", async () => {
      await expectNoLeaks(async () => {
        const model = await CLIPModel.fromPretrained(folder, float16);
        const lora = addLoRA(model, { rank: 2, within: "vision_model" });
        expect(new Set(lora.parameters().map(({ storage }) => storage))).toEqual(new Set(["float32"]));
        const before = run(model);
        const variables = lora.parameters().map(({ value }) => value);
        const { value, grads } = tf.variableGrads(
          () => tf.sum(tf.square(model.encodeImage(golden["pixels"] as tf.Tensor4D))) as tf.Scalar,
          variables,
        );
        expect(Object.keys(grads).length).toBe(variables.length);
        lora.merge();
        const merged = run(model);
        for (const [i, y] of merged.entries())
          expectCloseNorm(await y.data(), await before[i].data(), { relative: 1e-6 });
        tf.dispose([before, value, grads, merged]);
        model.dispose();
      });
    });

    it("trains biases in float32 beside weights that stay as they are", async () => {
      await expectNoLeaks(async () => {
        const model = await CLIPModel.fromPretrained(folder, float16);
        const lora = addLoRA(model, { rank: 2, within: "vision_model", bias: "lora_only", dropout: 0 });
        const before = run(model);
        expect(lora.parameters().length).toBe(3 * 12);
        expect(new Set(lora.parameters().map(({ storage }) => storage))).toEqual(new Set(["float32"]));
        expect(new Set(Array.from(lora.layers.values(), ({ weight }) => weight.storage))).toEqual(
          new Set(["float16"]),
        );
        const again = await CLIPModel.fromPretrained(folder, float16);
        const expected = run(again);
        for (const [i, y] of before.entries())
          expectCloseNorm(await y.data(), await expected[i].data(), { relative: 1e-5 });
        const { value, grads } = tf.variableGrads(
          () => tf.sum(tf.square(model.encodeImage(golden["pixels"] as tf.Tensor4D))) as tf.Scalar,
          lora.parameters().map((parameter) => parameter.value),
        );
        expect(Object.keys(grads).length).toBe(3 * 12);
        tf.dispose([before, expected, value, grads]);
        lora.remove();
        model.dispose();
        again.dispose();
      });
    });

    it("gives its vision tower only", async () => {
      await expectNoLeaks(async () => {
        const [model, tower] = [
          await CLIPModel.fromPretrained(folder, float16),
          await CLIPVisionModel.fromPretrained(folder, float16),
        ];
        expect(new Set(tower.parameters().map(({ storage }) => storage))).toEqual(new Set(["float16"]));
        const [expected, actual] = [model.vision_model, tower].map((vision) =>
          vision.forward(golden["pixels"] as tf.Tensor4D),
        );
        expectClose(await actual.pooled.data(), await expected.pooled.data());
        tf.dispose([expected.lastHiddenState, expected.pooled, actual.lastHiddenState, actual.pooled]);
        model.dispose();
        tower.dispose();
      });
    });
  });

describe("CLIP where float16 cannot be stored", () => {
  it("says so", async () => {
    await initialize({ device: "cpu" });
    await expectNoLeaks(() =>
      expect(CLIPModel.fromPretrained(folder, float16)).rejects.toThrow(
        'CLIPModel.fromPretrained: storage "float16" needs WebGPU on an adapter with shader-f16 (hasFloat16Storage() is false on backend "cpu"); use "float32"',
      ),
    );
  });
});
