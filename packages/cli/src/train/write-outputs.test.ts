import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  CLIPModel,
  CLIPVisionModelWithProjection,
  type ImageEncoder,
  loadImageEncoder,
  SiglipModel,
  SiglipVisionModel,
} from "@dcr-js/encoders";
import { initialize, readSafetensors } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { writeEnhancedEncoder } from "./write-outputs.js";

const fixtures = fileURLToPath(new URL("../../fixtures", import.meta.url));
beforeAll(() => initialize({ device: "wasm" }));

const texts = ["a photo of a cat", "a red circle on a blue ground", "two dogs"];

interface Reader {
  fromPretrained(folder: string): Promise<ImageEncoder>;
}

it.each<[string, Reader[]]>([
  ["clip", [CLIPModel, CLIPVisionModelWithProjection]],
  ["siglip", [SiglipModel, SiglipVisionModel]],
])(
  "writes an encoder of %s with the features that transformers and peft give (tools/reference/enhanced_encoder.py)",
  async (family, kinds) => {
    const output = await mkdtemp(join(tmpdir(), "dcr-outputs-"));
    const original = join(fixtures, "models", family);
    await cp(join(fixtures, "enhanced", family, "adapter"), join(output, "adapter"), { recursive: true });
    await expectNoLeaks(async () => {
      await writeEnhancedEncoder({ encoder: original }, output);
      const golden = await readSafetensors(join(fixtures, "enhanced", family, "golden.safetensors"));
      const pixels = tf.transpose(golden.pixels as tf.Tensor4D, [0, 2, 3, 1]);
      const largest = Math.max(...Array.from(golden.features!.dataSync(), Math.abs));
      for (const kind of kinds) {
        const encoder = await kind.fromPretrained(join(output, "encoder"));
        const features = encoder.encodeImage(pixels);
        expectClose(features, golden.features!, { absolute: 1e-5 * largest });
        features.dispose();
        encoder.dispose();
      }
      const { encoder, textEncoder, tokenizer, dispose } = await loadImageEncoder(join(output, "encoder"));
      tf.tidy(() => {
        const textFeatures = textEncoder!.encodeText(tokenizer!.encode(texts));
        const model = encoder as CLIPModel | SiglipModel;
        const logits = model.logitsPerImage(model.encodeImage(pixels), textFeatures);
        const probabilities = family === "clip" ? tf.softmax(logits) : tf.sigmoid(logits);
        expectClose(probabilities, golden.probabilities!, { relative: 1e-4 });
      });
      dispose();
      // The text tower is the original's.
      const [before, after] = await Promise.all(
        [original, join(output, "encoder")].map((path) => readSafetensors(`${path}/model.safetensors`)),
      );
      const name = "text_model.encoder.layers.0.mlp.fc1.weight";
      expect(after![name]!.dataSync()).toEqual(before![name]!.dataSync());
      tf.dispose([golden, pixels, before, after] as never);
    });
    await rm(output, { recursive: true });
  },
);
