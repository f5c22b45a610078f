import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hasFloat16Storage, initialize, readSafetensors } from "@dcr-js/tensor";
import { expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { addLoRA } from "../lora/lora.js";
import { SiglipModel } from "./siglip-model.js";

const folder = fileURLToPath(new URL("../../fixtures/siglip", import.meta.url));
const hasHalves = await initialize({ device: "software" }).then(hasFloat16Storage, () => false);

if (hasHalves)
  describe("SiglipModel loaded as float16", () => {
    it("computes near transformers' numbers, and takes adapters with their biases", async () => {
      const golden = await readSafetensors(join(folder, "golden.safetensors"));
      await expectNoLeaks(async () => {
        const model = await SiglipModel.fromPretrained(folder, { storage: "float16" });
        const lora = addLoRA(model, { rank: 2, dropout: 0, within: "vision_model", bias: "lora_only" });
        expect(new Set(lora.parameters().map(({ storage }) => storage))).toEqual(new Set(["float32"]));
        const features = [
          model.encodeImage(golden["pixels"] as tf.Tensor4D),
          model.encodeText(golden["input_ids"] as tf.Tensor2D),
        ];
        // Each weight is off by at most 2^-11, which is 5e-4, of itself.
        expectCloseNorm(await features[0]!.data(), await golden["image_embeds"]!.data(), { relative: 3e-3 });
        expectCloseNorm(await features[1]!.data(), await golden["text_embeds"]!.data(), { relative: 3e-3 });
        tf.dispose(features);
        lora.remove();
        model.dispose();
      });
      tf.dispose(golden);
    });
  });
