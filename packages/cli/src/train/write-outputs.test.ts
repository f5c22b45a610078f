import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPModel, CLIPVisionModelWithProjection } from "@dcr-js/encoders";
import { initialize, readSafetensors } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeEnhancedEncoder } from "./write-outputs.js";

const fixtures = fileURLToPath(new URL("../../fixtures", import.meta.url));
let output: string;
beforeAll(async () => {
  await initialize({ device: "wasm" });
  output = await mkdtemp(join(tmpdir(), "dcr-outputs-"));
  await cp(join(fixtures, "enhanced/adapter"), join(output, "adapter"), { recursive: true });
});
afterAll(() => rm(output, { recursive: true }));

it("writes an encoder with the features that transformers and peft give (tools/reference/enhanced_encoder.py)", async () => {
  await expectNoLeaks(async () => {
    await writeEnhancedEncoder(join(fixtures, "models/clip"), output);
    const golden = await readSafetensors(join(fixtures, "enhanced/golden.safetensors"));
    const pixels = tf.transpose(golden.pixels as tf.Tensor4D, [0, 2, 3, 1]);
    const largest = Math.max(...Array.from(golden.features!.dataSync(), Math.abs));
    for (const kind of [CLIPModel, CLIPVisionModelWithProjection]) {
      const encoder = await kind.fromPretrained(join(output, "encoder"));
      const features = encoder.encodeImage(pixels);
      expectClose(features, golden.features!, { absolute: 1e-5 * largest });
      features.dispose();
      encoder.dispose();
    }
    // The text tower is the original's.
    const [before, after] = await Promise.all(
      [join(fixtures, "models/clip"), join(output, "encoder")].map((path) =>
        readSafetensors(`${path}/model.safetensors`),
      ),
    );
    const name = "text_model.encoder.layers.0.mlp.fc1.weight";
    expect(after![name]!.dataSync()).toEqual(before![name]!.dataSync());
    tf.dispose([golden, pixels, before, after] as never);
  });
});
